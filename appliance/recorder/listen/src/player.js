// Plays a recording by Web Audio: opens what is needed just before it is heard, and holds no more.
//
// The context runs at the recording's own 8 kHz, so pieces that follow each other join without a seam. What is heard is
// computed piece by piece from where in the recording it was taken, so position, speed and skipped silence agree.

import { RATE } from "./recording.js";
import { FRAME_MS, silences } from "./speech.js";
import { Stretch } from "./stretch.js";

const PIECE = RATE / 4; // samples taken at once
const AHEAD_SECONDS = 0.6;
const TURN_MS = 100;
const FRAME = (RATE * FRAME_MS) / 1000;
export const SPEEDS = [0.5, 0.75, 1, 1.25, 1.5, 2, 3];

export class Player {
  // `changed` is told of every change of state, `failed` of a Fault while playing.
  constructor(recording, { changed = () => {}, failed = () => {}, context = () => new AudioContext({ sampleRate: RATE }) } = {}) {
    this.recording = recording;
    this.silences = silences(recording.speech).map(([from, to]) => [from * FRAME, to * FRAME]);
    this.speed = 1;
    this.skipsSilence = false;
    this.isPlaying = false;
    this.isWaiting = false; // for bytes
    this.changed = changed;
    this.failed = failed;
    this.makeContext = context;
    this.context = null;
    this.taken = 0; // the next sample to take
    this.pieces = []; // what is scheduled: {at, until} of the context's time, {from, to} of the recording, node
    this.generation = 0; // of seeks: what was being opened for an older one is dropped
  }

  // The sample that is heard now.
  get position() {
    const now = this.context?.currentTime ?? 0;
    const heard = this.pieces.findLast((piece) => piece.at <= now);
    if (!heard) return this.pieces[0]?.from ?? this.taken;
    const share = Math.min(1, (now - heard.at) / (heard.until - heard.at || 1));
    return Math.round(heard.from + (heard.to - heard.from) * share);
  }

  async play() {
    if (this.isPlaying) return;
    this.context ??= this.makeContext();
    this.isPlaying = true;
    if (this.taken >= this.recording.length) this.taken = 0;
    this.#restart(this.taken);
    await this.context.resume();
    clearInterval(this.timer);
    if (!this.isPlaying) return; // paused while the sound was waking up
    this.timer = setInterval(() => this.#fill(), TURN_MS);
    this.#fill();
    this.changed();
  }

  pause() {
    if (!this.isPlaying) return;
    const here = this.position;
    this.isPlaying = this.isWaiting = false;
    clearInterval(this.timer);
    this.#restart(here);
    this.context.suspend();
    this.changed();
  }

  // Goes to a sample, and plays on if it was playing.
  seek(sample) {
    this.#restart(Math.max(0, Math.min(sample, this.recording.length)));
    if (this.isPlaying) this.#fill();
    this.changed();
  }

  set(speed, skipsSilence) {
    this.speed = speed;
    this.skipsSilence = skipsSilence;
    this.seek(this.position);
  }

  #restart(sample) {
    this.generation++;
    for (const { node } of this.pieces) node.stop();
    this.pieces = [];
    this.taken = sample;
    this.stretch = new Stretch(this.speed);
    this.isFilling = false;
  }

  async #fill() {
    if (this.isFilling) return;
    this.isFilling = true;
    const generation = this.generation;
    try {
      while (this.isPlaying && this.#ahead() < AHEAD_SECONDS && this.taken < this.recording.length) {
        const [from, to] = this.#next();
        this.#wait(this.#ahead() <= 0);
        const { left, right } = await this.recording.samples(from, to);
        if (generation !== this.generation) return;
        this.#wait(false);
        this.#schedule(left, right, from, to);
        this.taken = to;
      }
      if (this.isPlaying && this.taken >= this.recording.length && this.#ahead() <= 0) this.pause();
    } catch (fault) {
      if (generation !== this.generation) return;
      this.pause();
      this.failed(fault);
    }
    this.isFilling = false;
  }

  #wait(isWaiting) {
    if (this.isWaiting === isWaiting) return;
    this.isWaiting = isWaiting;
    this.changed();
  }

  // Seconds that are scheduled and not heard yet.
  #ahead() {
    return (this.pieces.at(-1)?.until ?? 0) - this.context.currentTime;
  }

  // The next piece to take: up to the next silence that is skipped, or behind the one we are in.
  #next() {
    let from = this.taken;
    let to = Math.min(from + PIECE, this.recording.length);
    if (this.skipsSilence) {
      const silence = this.silences.find(([, end]) => end > from);
      if (silence && silence[0] <= from) {
        from = silence[1];
        to = Math.min(from + PIECE, this.recording.length);
        this.stretch = new Stretch(this.speed);
      } else if (silence) to = Math.min(to, silence[0]);
    }
    return [from, to];
  }

  #schedule(left, right, from, to) {
    const [one, other] = this.stretch.push(floats(left), floats(right));
    if (!one.length) return; // kept until there is enough for a piece
    const buffer = this.context.createBuffer(2, one.length, RATE);
    buffer.copyToChannel(one, 0);
    buffer.copyToChannel(other, 1);
    const node = this.context.createBufferSource();
    node.buffer = buffer;
    node.connect(this.context.destination);
    const at = Math.max(this.pieces.at(-1)?.until ?? 0, this.context.currentTime + 0.02);
    node.start(at);
    this.pieces = this.pieces.filter((piece) => piece.until > this.context.currentTime - 1);
    this.pieces.push({ at, until: at + one.length / RATE, from, to, node });
  }
}

const floats = (samples) => Float32Array.from(samples, (sample) => sample / 32768);
