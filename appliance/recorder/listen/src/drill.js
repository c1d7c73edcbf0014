// The test recording, opened with the paper and with the owner's key, and the owner's word that it was: what
// ceremony/drill.py does. The box seals the recording itself, so what is tried is what it records with.

import { download } from "./ceremony.js";
import { alarm, element } from "./elements.js";
import { Fault } from "./fault.js";
import { recipientOf } from "./identity.js";
import { identityFrom, isWrapped } from "./key.js";
import { identityFromWords } from "./paper.js";
import { openRecording } from "./recording.js";
import { readSet, signDrill } from "./signed.js";

export class Drill {
  // `given()` gives {set: its text, sources, id} of the test recording; `fields` are elements that it needs.
  constructor(place, words, given, fields = []) {
    this.words = words;
    this.given = given;
    const say = (key) => words.say(key);
    this.file = element("input", { id: "drill-key", type: "file", onchange: () => this.#chosen() });
    this.passphrase = element("input", { id: "drill-passphrase", type: "password", autocomplete: "off", dir: "ltr" });
    this.wrapped = element("label", { hidden: true }, say("listen.passphrase"), this.passphrase);
    this.typed = element("textarea", { id: "drill-words", rows: 5, dir: "ltr", autocomplete: "off", spellcheck: "false", autocapitalize: "off" });
    this.faults = element("div", {});
    this.done = element("div", { id: "drill-done", role: "status" });
    this.button = element("button", { id: "drill-go", class: "main", type: "button", onclick: () => this.#go() }, say("keys.drill_go"));
    place.replaceChildren(element("h2", {}, say("keys.drill")), element("p", {}, say("keys.drill_hint")), this.faults, ...fields,
      element("label", {}, say("keys.drill_key"), this.file), this.wrapped,
      element("label", {}, say("keys.drill_words"), this.typed), this.button, this.done);
  }

  async #chosen() {
    this.bytes = this.file.files[0] ? new Uint8Array(await this.file.files[0].arrayBuffer()) : null;
    this.wrapped.hidden = !(this.bytes && isWrapped(this.bytes));
  }

  async #go() {
    this.button.disabled = true;
    this.faults.replaceChildren();
    this.done.replaceChildren();
    try {
      if (!this.bytes) throw new Fault("listen.no_key");
      const paper = identityFromWords(this.typed.value);
      const owner = await identityFrom(this.bytes, this.passphrase.value);
      const proof = await drilled(await this.given(), owner, paper, Date.now());
      this.typed.value = this.passphrase.value = "";
      this.done.replaceChildren(element("p", {}, this.words.say("keys.drilled"), " ", download("drill.txt", proof)),
        element("pre", { dir: "ltr" }, "pasokh keys install drill.txt"));
      this.done.querySelector("a").focus();
    } catch (fault) {
      this.faults.replaceChildren(alarm(this.words, fault));
      this.faults.scrollIntoView();
    }
    this.button.disabled = false;
  }
}

// The text that the owner signs; a Fault where one of the two is another key, or does not open every byte.
export async function drilled({ set, sources, id }, owner, paper, at) {
  const { members, version } = readSet(set);
  for (const [role, identity, key] of [["owner", owner, "ceremony.other_owner"], ["recovery", paper, "ceremony.other_paper"]]) {
    const { fingerprint } = await recipientOf(identity);
    const wanted = members.filter((each) => each.role === role).map((each) => each.recipient.fingerprint).join(", ");
    if (fingerprint !== wanted) throw new Fault(key, { fingerprint, wanted, version });
  }
  for (const identity of [paper, owner]) {
    const recording = await openRecording(sources, identity, id);
    await recording.samples(0, recording.length);
    await recording.check();
  }
  return (await signDrill(at, owner, paper)).text;
}
