// The offline viewer: one file on the owner's own machine, which loads nothing and trusts no box.
//
// A recording is its three files under one name. Here no records say which recording it must be: the id is that of the
// files' name unless a person types another, and the seal must be bound to it.

import { Desk } from "./desk.js";
import { alarm, element } from "./elements.js";
import { Fault } from "./fault.js";
import { Keyhole } from "./keyhole.js";
import { openRecording } from "./recording.js";
import { FileSource } from "./source.js";
import { Words } from "./words.js";

const PART = /^(.*)\.(head|body|seal)$/;

export class Viewer {
  constructor(place, catalogues, language) {
    this.place = place;
    this.catalogues = catalogues;
    this.identity = null; // kept while the tab lives, for the next recording
    this.found = new Map(); // name -> {head, body, seal} files
    this.chosen = "";
    this.desk = null;
    this.#speak(language);
    document.addEventListener("dragover", (event) => event.preventDefault());
    document.addEventListener("drop", (event) => {
      event.preventDefault();
      this.take(event.dataTransfer.files);
    });
  }

  #speak(language) {
    this.words = new Words(this.catalogues, language);
    document.documentElement.lang = this.words.language;
    document.documentElement.dir = this.words.direction;
    document.title = this.words.say("listen.viewer");
    this.#build();
  }

  #build() {
    const say = (key) => this.words.say(key);
    this.desk?.close();
    this.desk = null;
    const other = this.words.language === "fa" ? "en" : "fa";
    this.files = element("input", { id: "viewer-files", type: "file", multiple: true, onchange: () => this.take(this.files.files) });
    this.list = element("select", { id: "viewer-list", onchange: () => this.#choose(this.list.value) });
    this.typed = element("input", { id: "viewer-id", type: "text", dir: "ltr", autocomplete: "off", spellcheck: "false", maxlength: 36 });
    this.faults = element("div", {});
    this.player = element("div", { class: "listen" });
    this.place.replaceChildren(
      element("header", { class: "row" }, element("h1", {}, say("listen.viewer")),
        element("button", { id: "viewer-language", type: "button", lang: other, onclick: () => this.#speak(other) }, other === "fa" ? "فارسی" : "English")),
      element("section", { class: "card" }, element("p", {}, say("listen.viewer_hint")),
        element("label", {}, say("listen.files"), this.files),
        element("label", {}, say("listen.recording"), this.list),
        element("details", {}, element("summary", {}, say("listen.other_id")), element("label", {}, say("listen.id"), this.typed))),
      this.faults, element("section", { class: "card" }, this.player));
    this.#listed();
    this.#ask();
  }

  // Takes files that a person dropped or chose, in any order and any number.
  take(files) {
    for (const file of files) {
      const [, name, part] = PART.exec(file.name) ?? [];
      if (!part) continue;
      this.found.set(name, { ...this.found.get(name), [part]: file });
      this.chosen = name;
    }
    this.#listed();
    this.#choose(this.chosen);
  }

  #listed() {
    this.list.replaceChildren(...[...this.found.keys()].sort().map((name) => element("option", { value: name }, name)));
    this.list.value = this.chosen;
  }

  async #choose(name) {
    this.chosen = this.list.value = name;
    this.faults.replaceChildren();
    if (!this.identity) return;
    try {
      await this.#open(this.identity);
    } catch (fault) {
      this.#ask();
      this.faults.replaceChildren(alarm(this.words, fault));
    }
  }

  #ask() {
    this.desk?.close();
    this.desk = null;
    new Keyhole(this.player, this.words, async (identity) => {
      await this.#open(identity);
      this.identity = identity;
    });
  }

  async #open(identity) {
    const files = this.found.get(this.chosen);
    if (!files) throw new Fault("listen.no_files");
    const missing = ["head", "body", "seal"].find((part) => !files[part]);
    if (missing) throw new Fault("listen.file_missing", { file: `${this.chosen}.${missing}` });
    const sources = Object.fromEntries(Object.entries(files).map(([part, file]) => [part, new FileSource(file, part)]));
    const id = (this.typed.value.trim() || this.chosen).replaceAll("-", "").toLowerCase();
    const recording = await openRecording(sources, identity, id);
    this.desk?.close();
    this.desk = new Desk(this.player, recording, this.words);
  }
}
