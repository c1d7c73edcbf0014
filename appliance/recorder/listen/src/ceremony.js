// The keys of recordings, made in this tab: who may listen, the sheet, some of its words again, the files.
//
// Private keys are in variables of this tab until they lie in files that the owner keeps: nothing is sent, and nothing
// is stored by the browser. What the box gets is the signed set alone, as a file, by `pasokh keys install`: no service
// of the box may write the folder in which it lies, so the page cannot either.

import { Encrypter } from "age-encryption";
import { alarm, element } from "./elements.js";
import { Fault } from "./fault.js";
import { identityFile, newIdentity, recipientOf } from "./identity.js";
import { numberOf, WORDS, wordsOf } from "./paper.js";
import { wrappedByPasskey } from "./passkey.js";
import { sheetOf } from "./sheet.js";
import { member, signSet } from "./signed.js";
import { WORDLIST } from "./wordlist.js";

export const OWNER = "Owner"; // names; the roles are theirs alone
export const RECOVERY = "Recovery";
const ASKED_WORDS = 4;
const LEAST_LETTERS = 12; // the rules of recorder/passphrase.py
const LEAST_DIFFERENT = 7;
const LEAST_DIGITS = 20;
const MOST_LETTERS = 1024;

// Keys for all of them and the first set, signed by the owner: {set, identities by name}.
export async function firstSet(listeners, escrow, made) {
  const identities = new Map();
  const members = [];
  const asked = [["owner", OWNER], ["recovery", RECOVERY], ...listeners.map((name) => ["listener", name]),
    ...(escrow ? [["escrow", escrow]] : [])];
  for (const [role, name] of asked) {
    if (identities.has(name)) throw new Fault("ceremony.same_name", { name });
    identities.set(name, newIdentity());
    members.push(await member(role, name, identities.get(name)));
  }
  return { set: signSet(1, made, members, identities.get(OWNER)), identities };
}

export function isStrong(passphrase) {
  const letters = [...passphrase];
  const least = /^\p{Nd}+$/u.test(passphrase) ? LEAST_DIGITS : LEAST_LETTERS;
  return letters.length >= least && letters.length <= MOST_LETTERS && new Set(letters).size >= LEAST_DIFFERENT;
}

// An age file (bytes) that this passphrase opens, here and by command.
export function wrappedByPassphrase(content, passphrase) {
  const encrypter = new Encrypter();
  encrypter.setPassphrase(passphrase);
  return encrypter.encrypt(content);
}

export class Ceremony {
  constructor(place, words, catalogues) {
    this.place = place;
    this.words = words;
    this.catalogues = catalogues;
    this.faults = element("div", {});
    this.#askWho();
  }

  #say(key, fields) {
    return this.words.say(key, fields);
  }

  #show(title, ...children) {
    this.faults.replaceChildren();
    this.place.replaceChildren(element("h2", {}, this.#say(title)), this.faults, ...children);
  }

  #button(id, key, action, kind = "main") {
    const pressed = async () => {
      button.disabled = true;
      this.faults.replaceChildren();
      try {
        await action();
      } catch (fault) {
        this.faults.replaceChildren(alarm(this.words, fault));
        this.faults.scrollIntoView();
      }
      button.disabled = false;
    };
    const button = element("button", { id, class: kind, type: "button", onclick: pressed }, this.#say(key));
    return button;
  }

  // Who may listen, and how the owner's key is kept -------------------------------------------------------------------

  #askWho() {
    const secret = { type: "password", autocomplete: "off", dir: "ltr", maxlength: MOST_LETTERS };
    this.supervisor = element("input", { id: "keys-supervisor", type: "text", maxlength: 40, autocomplete: "off" });
    this.escrow = element("input", { id: "keys-escrow", type: "text", maxlength: 40, autocomplete: "off" });
    this.byPassphrase = element("input", { id: "keys-by-passphrase", type: "radio", name: "keys-by", checked: true, onchange: () => this.#chosen() });
    this.byPasskey = element("input", { id: "keys-by-passkey", type: "radio", name: "keys-by", onchange: () => this.#chosen() });
    this.passphrase = element("input", { id: "keys-passphrase", ...secret });
    this.again = element("input", { id: "keys-again", ...secret });
    this.typed = element("div", {}, element("p", { class: "hint" }, this.#say("keys.passphrase_hint")),
      element("label", {}, this.#say("keys.passphrase"), this.passphrase), element("label", {}, this.#say("keys.again"), this.again));
    this.understood = element("input", { id: "keys-understood", type: "checkbox" });
    this.#show("keys.who",
      element("p", {}, this.#say("keys.who_always")),
      element("label", {}, this.#say("keys.supervisor"), this.supervisor),
      element("label", {}, this.#say("keys.escrow"), this.escrow),
      element("p", {}, this.#say("keys.kept_by")),
      element("label", {}, this.byPassphrase, " ", this.#say("keys.by_passphrase")),
      element("label", {}, this.byPasskey, " ", this.#say("keys.by_passkey")), this.typed,
      element("label", {}, this.understood, " ", this.#say("ceremony.all_lost")),
      this.#button("keys-make", "keys.make", () => this.#make()));
    this.supervisor.focus();
  }

  #chosen() {
    this.typed.hidden = this.byPasskey.checked;
  }

  async #make() {
    if (!this.understood.checked) throw new Fault("keys.not_understood");
    const isTyped = this.byPassphrase.checked;
    if (isTyped && !isStrong(this.passphrase.value)) {
      throw new Fault("recorder.weak_passphrase", { letters: LEAST_LETTERS, different: LEAST_DIFFERENT, digits: LEAST_DIGITS });
    }
    if (isTyped && this.passphrase.value !== this.again.value) throw new Fault("recorder.passphrases_differ");
    const listeners = this.supervisor.value.trim() ? [this.supervisor.value.trim()] : [];
    const { set, identities } = await firstSet(listeners, this.escrow.value.trim(), Date.now());
    const owner = await identityFile(identities.get(OWNER));
    try {
      this.ownerFile = await (isTyped ? wrappedByPassphrase(owner, this.passphrase.value) : wrappedByPasskey(owner, this.#say("keys.passkey_name")));
    } catch (fault) {
      this.byPassphrase.checked = true; // what is left where a passkey is not to be had
      this.#chosen();
      throw fault;
    }
    this.set = set;
    this.identities = identities;
    await this.#showSheet();
  }

  // The paper ---------------------------------------------------------------------------------------------------------

  async #showSheet() {
    const recovery = this.identities.get(RECOVERY);
    const { kind, fingerprint } = await recipientOf(recovery);
    this.paper = wordsOf(recovery);
    const { signer, made, version } = this.set;
    const sheet = sheetOf({ words: this.paper, code: recovery, kind, fingerprint, signer, made, version }, this.catalogues);
    const print = this.#button("keys-print", "keys.print", () => window.print(), "");
    this.#show("keys.sheet", element("p", {}, this.#say("keys.sheet_hint")),
      element("div", { class: "row" }, print, this.#button("keys-printed", "keys.printed", () => this.#askWords())), sheet);
    print.focus();
  }

  #askWords() {
    const places = new Set();
    while (places.size < ASKED_WORDS) places.add(crypto.getRandomValues(new Uint32Array(1))[0] % WORDS);
    const fields = [...places].sort((one, other) => one - other).map((place) => {
      const field = element("input", { type: "text", dir: "ltr", autocomplete: "off", spellcheck: "false", autocapitalize: "off", "data-place": place + 1 });
      return { place, field, row: element("label", {}, this.#say("keys.word", { place: this.words.digits(place + 1) }), field) };
    });
    const check = () => {
      const wrong = fields.find(({ place, field }) => WORDLIST[numberOf(field.value)] !== this.paper[place]);
      if (!wrong) return this.#giveFiles();
      wrong.field.focus();
      throw new Fault("keys.wrong_place", { place: this.words.digits(wrong.place + 1) });
    };
    this.#show("keys.again_title", element("p", {}, this.#say("keys.again_hint")), ...fields.map(({ row }) => row),
      element("div", { class: "row" }, this.#button("keys-check", "keys.check", check),
        this.#button("keys-back", "keys.back", () => this.#showSheet(), "")));
    fields[0].field.focus();
  }

  // The files ---------------------------------------------------------------------------------------------------------

  async #giveFiles() {
    const files = [["owner-key.age", this.ownerFile, "keys.file_owner"]];
    for (const { role, name } of this.set.members) {
      if (role !== "listener" && role !== "escrow") continue;
      files.push([`${role}-${name.replaceAll(" ", "_")}.key`, await identityFile(this.identities.get(name)), "keys.file_other"]);
    }
    files.push(["listeners.txt", this.set.text, "keys.file_set"]);
    this.identities = this.paper = null;
    const rows = files.map(([name, content, key]) => element("li", {}, download(name, content), ` ${this.#say(key)}`));
    this.#show("keys.files", element("p", {}, this.#say("keys.files_hint")), element("ul", { id: "keys-files" }, ...rows),
      element("p", {}, this.#say("keys.next")), element("pre", { dir: "ltr" }, "pasokh keys install listeners.txt"));
    this.place.querySelector("a").focus();
  }
}

// A link that gives `content` as a file.
export function download(name, content) {
  const address = URL.createObjectURL(new Blob([content], { type: "application/octet-stream" }));
  return element("a", { href: address, download: name }, name);
}
