// The player as a person meets it: buttons, pictures, marks, keys. One for one opened recording.

import { Closeup, Overview } from "./drawing.js";
import { alarm, element } from "./elements.js";
import { Player, SPEEDS } from "./player.js";
import { RATE } from "./recording.js";

const STEP_SECONDS = 5;
const LEAP_SECONDS = 30;

export class Desk {
  // `place` is emptied and filled; `close` ends everything of it.
  constructor(place, recording, words) {
    this.recording = recording;
    this.words = words;
    this.player = new Player(recording, { changed: () => this.#changed(), failed: (fault) => this.#failed(fault) });
    place.replaceChildren(...this.#built());
    this.overview = new Overview(this.canvas, recording);
    this.closeup = new Closeup(this.near, recording);
    this.onKey = (event) => this.#key(event);
    document.addEventListener("keydown", this.onKey);
    this.resized = new ResizeObserver(() => this.#draw(true));
    this.resized.observe(this.canvas);
    this.#changed();
    this.play.focus();
  }

  close() {
    this.player.pause();
    document.removeEventListener("keydown", this.onKey);
    this.resized.disconnect();
    cancelAnimationFrame(this.frame);
  }

  // Building ----------------------------------------------------------------------------------------------------------

  #built() {
    const say = (key, fields) => this.words.say(key, fields);
    this.faults = element("div", { id: "listen-faults" });
    this.canvas = element("canvas", { class: "overview", "aria-hidden": "true", onpointerdown: (event) => this.#pointed(event) });
    this.near = element("canvas", { class: "closeup", "aria-hidden": "true" });
    this.seek = element("input", {
      id: "listen-seek", type: "range", min: 0, max: this.recording.length, step: RATE, "aria-label": say("listen.seek"),
      oninput: () => this.player.seek(Number(this.seek.value)),
    });
    this.play = element("button", { id: "listen-play", class: "main", type: "button", onclick: () => this.#toggle() });
    this.time = element("output", { id: "listen-time", class: "number", dir: "ltr" });
    this.speed = element("select", { id: "listen-speed", onchange: () => this.#set() });
    this.speed.append(...SPEEDS.map((each) => element("option", { value: each, selected: each === 1 }, `${this.words.digits(each)}×`)));
    this.skip = element("input", { id: "listen-skip", type: "checkbox", onchange: () => this.#set() });
    this.whole = element("button", { id: "listen-check", type: "button", onclick: () => this.#check() }, say("listen.check"));
    this.said = element("p", { id: "listen-said", class: "hint", role: "status" });
    const timeline = element("div", { class: "timeline", dir: "ltr" }, this.canvas, this.seek, this.near);
    const sides = element("p", { class: "sides" },
      element("span", { class: "left" }, say("listen.left")), element("span", { class: "right" }, say("listen.right")),
      element("span", { class: "both" }, say("listen.both")));
    const controls = element("div", { class: "row controls" }, this.play, this.time,
      element("label", {}, say("listen.speed"), " ", this.speed),
      element("label", {}, this.skip, " ", say("listen.skip")), this.whole);
    return [this.#heading(), this.faults, sides, timeline, controls, this.said, this.#marks(), this.#help()];
  }

  #heading() {
    const { recording, words } = this;
    const state = words.say(recording.isClosed ? "listen.closed" : "listen.open");
    const began = recording.ticks.length ? words.moment(recording.ticks[0].utcMs) : "";
    return element("p", { id: "listen-about" }, words.say("listen.about", {
      conversation: recording.about.conversation, part: words.digits(recording.about.part), began, state,
      length: words.clock(recording.milliseconds),
    }));
  }

  #marks() {
    const { words } = this;
    const list = element("ul", { id: "listen-marks", class: "marks" });
    for (const mark of this.recording.marks) {
      const known = words.say(`listen.mark_${mark.kind}`);
      const length = mark.milliseconds ? ` ${words.clock(mark.milliseconds)}` : "";
      const name = known === `listen.mark_${mark.kind}` ? mark.kind : known;
      const go = element("button", { type: "button", onclick: () => this.player.seek(mark.at_ms * (RATE / 1000)) });
      go.append(words.clock(mark.at_ms));
      list.append(element("li", {}, go, ` ${name}${length} `, element("bdi", { class: "soft" }, mark.detail ?? "")));
    }
    return list;
  }

  #help() {
    const keys = ["play", "step", "leap", "speed", "skip", "mark"];
    const rows = keys.map((key) => element("li", {}, this.words.say(`listen.key_${key}`)));
    return element("details", { class: "help" }, element("summary", {}, this.words.say("listen.keys")), element("ul", {}, ...rows));
  }

  // What a person does ------------------------------------------------------------------------------------------------

  #toggle() {
    this.faults.replaceChildren();
    if (this.player.isPlaying) this.player.pause();
    else this.player.play();
  }

  #set() {
    this.player.set(Number(this.speed.value), this.skip.checked);
  }

  #pointed(event) {
    const { left } = this.canvas.getBoundingClientRect();
    this.player.seek(this.overview.sampleAt(event.clientX - left));
  }

  #by(seconds) {
    this.player.seek(this.player.position + seconds * RATE);
  }

  #faster(steps) {
    const index = SPEEDS.indexOf(Number(this.speed.value)) + steps;
    this.speed.value = SPEEDS[Math.max(0, Math.min(index, SPEEDS.length - 1))];
    this.#set();
  }

  #toMark(direction) {
    const here = this.player.position / (RATE / 1000);
    const places = this.recording.marks.map((mark) => mark.at_ms);
    const next = direction > 0 ? places.find((at) => at > here + 100) : places.findLast((at) => at < here - 1000);
    if (next !== undefined) this.player.seek(next * (RATE / 1000));
  }

  #key(event) {
    const isTyping = event.target.matches?.("input:not([type=range]):not([type=checkbox]), textarea, select");
    if (isTyping || event.ctrlKey || event.altKey || event.metaKey) return;
    const actions = {
      " ": () => this.#toggle(),
      ArrowLeft: () => this.#by(-(event.shiftKey ? LEAP_SECONDS : STEP_SECONDS)),
      ArrowRight: () => this.#by(event.shiftKey ? LEAP_SECONDS : STEP_SECONDS),
      ArrowUp: () => this.#faster(1),
      ArrowDown: () => this.#faster(-1),
      Home: () => this.player.seek(0),
      End: () => this.player.seek(this.recording.length),
      PageDown: () => this.#toMark(1),
      PageUp: () => this.#toMark(-1),
    };
    const isButton = event.target.matches?.("button, summary, [type=checkbox]") && event.target !== this.play;
    if (event.key === " " && isButton) return; // the space bar presses what has the keyboard
    if (event.code === "KeyS") {
      this.skip.checked = !this.skip.checked;
      this.#set();
    } else if (actions[event.key]) actions[event.key]();
    else return;
    event.preventDefault();
  }

  async #check() {
    this.whole.disabled = true;
    const told = (share) => { this.said.textContent = this.words.say("listen.checking", { percent: this.words.digits(Math.floor(100 * share)) }); };
    try {
      await this.recording.check(told);
      this.said.textContent = this.words.say(this.recording.isClosed ? "listen.is_whole" : "listen.is_whole_open");
    } catch (fault) {
      this.said.textContent = "";
      this.#failed(fault);
    }
    this.whole.disabled = false;
  }

  // What is shown -----------------------------------------------------------------------------------------------------

  #failed(fault) {
    this.faults.replaceChildren(alarm(this.words, fault));
  }

  #changed() {
    const { player, words } = this;
    this.play.textContent = words.say(player.isPlaying ? (player.isWaiting ? "listen.waiting" : "listen.pause") : "listen.play");
    this.play.setAttribute("aria-pressed", player.isPlaying);
    cancelAnimationFrame(this.frame);
    this.#draw(true);
  }

  #draw(isWhole = false) {
    const { player, words } = this;
    const position = player.position;
    const shown = `${words.clock(position / (RATE / 1000))} / ${words.clock(this.recording.milliseconds)}`;
    if (this.time.textContent !== shown || isWhole) {
      this.time.textContent = shown;
      this.seek.value = position;
      this.seek.setAttribute("aria-valuetext", words.clock(position / (RATE / 1000)));
    }
    this.overview.draw(position);
    this.closeup.draw(position);
    if (player.isPlaying) this.frame = requestAnimationFrame(() => this.#draw());
  }
}
