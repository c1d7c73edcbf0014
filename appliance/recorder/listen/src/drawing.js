// The two pictures of a recording. Above all of it: levels and speech of both sides, overtalk, marks, where we are.
// Below ten seconds of the sound itself. Time runs from left to right in every language, as on every recorder.

import { RATE } from "./recording.js";
import { FRAME_MS, overtalk, stretches } from "./speech.js";

const FLOOR_DBOV = -60; // quieter than this is drawn as nothing
const FRAME = (RATE * FRAME_MS) / 1000;
const WINDOW = 10 * RATE; // samples that the lower picture shows

export class Overview {
  constructor(canvas, recording) {
    this.canvas = canvas;
    this.recording = recording;
    this.spoken = [stretches(recording.speech.left), stretches(recording.speech.right)];
    this.both = overtalk(recording.speech);
    this.picture = null; // all but the place where we are; drawn once per size
  }

  // The sample under a horizontal place (CSS pixels from the picture's left edge).
  sampleAt(x) {
    return Math.round((x / this.canvas.clientWidth) * this.recording.length);
  }

  draw(position) {
    const { context, width, height, isNew } = sized(this.canvas);
    if (isNew || !this.picture) this.picture = this.#still(context, width, height);
    context.putImageData(this.picture, 0, 0);
    context.fillStyle = colour(this.canvas, "--ink");
    context.fillRect(Math.round((position / (this.recording.length || 1)) * width), 0, Math.max(1, width / 500), height);
  }

  #still(context, width, height) {
    const x = (sample) => (sample / (this.recording.length || 1)) * width;
    const middle = height / 2;
    context.clearRect(0, 0, width, height);
    const band = (runs, name, top, tall) => {
      context.fillStyle = colour(this.canvas, name);
      for (const [from, to] of runs) context.fillRect(x(from * FRAME), top, Math.max(1, x((to - from) * FRAME)), tall);
    };
    band(this.spoken[0], "--left-soft", 0, middle);
    band(this.spoken[1], "--right-soft", middle, middle);
    const levels = this.recording.levels();
    levels.forEach((level, index) => {
      const from = Math.floor(x(level.at));
      const wide = Math.ceil(x(levels[index + 1]?.at ?? this.recording.length)) - from;
      for (const [side, name, sign] of [["left", "--left", -1], ["right", "--right", 1]]) {
        const tall = Math.max(0, 1 - level[side] / FLOOR_DBOV) * (middle - 4);
        context.fillStyle = colour(this.canvas, name);
        context.fillRect(from, middle + sign * 2 - (sign < 0 ? tall : 0), wide, tall);
      }
    });
    band(this.both, "--both", middle - 2, 4);
    context.fillStyle = colour(this.canvas, "--mark");
    for (const mark of this.recording.marks) context.fillRect(x(mark.at_ms * (RATE / 1000)), 0, Math.max(1, width / 700), height);
    return context.getImageData(0, 0, width, height);
  }
}

export class Closeup {
  constructor(canvas, recording) {
    this.canvas = canvas;
    this.recording = recording;
  }

  // Five seconds before and behind us, of what is open already: looking fetches no more than hearing.
  draw(position) {
    const { context, width, height } = sized(this.canvas);
    context.clearRect(0, 0, width, height);
    const from = Math.max(0, position - WINDOW / 2);
    const { left, right } = this.recording.held(from, position + WINDOW / 2);
    const sampleAt = (x) => Math.floor(position - WINDOW / 2 + (x / width) * WINDOW) - from;
    for (const [sound, name, centre] of [[left, "--left", 0.25], [right, "--right", 0.75]]) {
      context.fillStyle = colour(this.canvas, name);
      for (let x = 0; x < width; x++) {
        const [low, high] = extremes(sound, sampleAt(x), sampleAt(x + 1));
        const top = centre * height - (high / 32768) * (height / 4);
        context.fillRect(x, top, 1, Math.max(1, ((high - low) / 32768) * (height / 4)));
      }
    }
    context.fillStyle = colour(this.canvas, "--ink");
    context.fillRect(Math.round(width / 2), 0, 1, height);
  }
}

function extremes(sound, from, to) {
  let [low, high] = [0, 0];
  for (let n = Math.max(0, from); n < Math.min(Math.max(to, from + 1), sound.length); n++) {
    if (sound[n] < low) low = sound[n];
    if (sound[n] > high) high = sound[n];
  }
  return [low, high];
}

const colour = (element, name) => getComputedStyle(element).getPropertyValue(name).trim() || "#888";

// The canvas at the screen's own resolution; `isNew` where its size has changed.
function sized(canvas) {
  const scale = globalThis.devicePixelRatio || 1;
  const [width, height] = [Math.max(1, Math.round(canvas.clientWidth * scale)), Math.max(1, Math.round(canvas.clientHeight * scale))];
  const isNew = canvas.width !== width || canvas.height !== height;
  if (isNew) [canvas.width, canvas.height] = [width, height];
  return { context: canvas.getContext("2d"), width, height, isNew };
}
