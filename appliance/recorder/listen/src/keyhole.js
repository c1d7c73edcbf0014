// Where a person gives the private key: a file or its text, with its passphrase where it is wrapped.
//
// The key lives in one variable of this tab and nowhere else: not in IndexedDB or sessionStorage (browsers write both
// to the disk), not in a form, not in an address. It is gone with the tab.

import { alarm, element } from "./elements.js";
import { Fault } from "./fault.js";
import { identityFrom, isWrapped } from "./key.js";

export class Keyhole {
  // `opens(identity)` is asked to use it; what it throws is shown here.
  constructor(place, words, opens) {
    this.words = words;
    this.opens = opens;
    this.bytes = null; // of the key file
    place.replaceChildren(...this.#built());
    this.file.focus();
  }

  #built() {
    const say = (key) => this.words.say(key);
    this.file = element("input", { id: "listen-key-file", type: "file", onchange: () => this.#chosen() });
    this.text = element("input", { id: "listen-key-text", type: "password", autocomplete: "off", spellcheck: "false", dir: "ltr" });
    this.passphrase = element("input", { id: "listen-passphrase", type: "password", autocomplete: "off", dir: "ltr" });
    this.wrapped = element("label", { hidden: true }, say("listen.passphrase"), this.passphrase);
    this.faults = element("div", {});
    this.button = element("button", { id: "listen-open", class: "main", type: "button", onclick: () => this.use() }, say("listen.open_it"));
    const box = element("div", { class: "keyhole", onkeydown: (event) => this.#key(event) },
      element("label", {}, say("listen.key_file"), this.file),
      element("label", {}, say("listen.key_text"), this.text), this.wrapped);
    return [this.faults, element("p", { class: "hint" }, say("listen.key_hint")), box, this.button];
  }

  async #chosen() {
    const file = this.file.files[0];
    this.bytes = file ? new Uint8Array(await file.arrayBuffer()) : null;
    this.wrapped.hidden = !(this.bytes && isWrapped(this.bytes));
    (this.wrapped.hidden ? this.button : this.passphrase).focus();
  }

  #key(event) {
    if (event.key === "Enter" && event.target !== this.file) this.use();
  }

  async use() {
    this.button.disabled = true;
    this.faults.replaceChildren();
    try {
      const bytes = this.bytes ?? new TextEncoder().encode(this.text.value);
      if (!bytes.length) throw new Fault("listen.no_key");
      const identity = await identityFrom(bytes, this.passphrase.value);
      await this.opens(identity);
      this.text.value = this.passphrase.value = "";
    } catch (fault) {
      this.faults.replaceChildren(alarm(this.words, fault));
    }
    this.button.disabled = false;
  }
}
