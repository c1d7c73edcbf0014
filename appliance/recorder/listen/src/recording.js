// A recording, opened: what its seal says, and its sound by ranges. The same checks in the same order as reading.py.

import { sha256 } from "@noble/hashes/sha2.js";
import { Body, isEqual, NONCE_BYTES } from "./container.js";
import { damaged, Fault } from "./fault.js";
import { TABLES } from "./g711.js";
import { fileKey } from "./key.js";
import { decodeJson, decodeLate, decodeTick, opened, Type, walk } from "./seal.js";
import { frames } from "./speech.js";

const WAV_HEADER_BYTES = 46;
const SILENCE = { PCMU: 0xff, PCMA: 0xd5 };
const WAV_FORMAT = { PCMU: 7, PCMA: 6 }; // RFC 2361
const MAX_SEAL_BYTES = 64 << 20; // 68 hours
export const RATE = 8000;

const placeOf = (sample) => WAV_HEADER_BYTES + 2 * sample; // in the plaintext

const bytesOf = (hex) => Uint8Array.from(hex.match(/../g) ?? [], (pair) => parseInt(pair, 16));
const hexOf = (bytes) => Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");

// Opens {head, body, seal} (sources) with the owner's key. `id` is the recording's id as the records have it, never the
// name of a file; `sealSha256` (hex) is what the records say of a recording that was closed, empty where they do not.
export async function openRecording(files, identity, id, sealSha256 = "") {
  if (!/^[0-9a-f]{32}$/.test(id)) throw new Fault("listen.no_id");
  const [head, sealed] = [await whole(files.head), await whole(files.seal)];
  if (sealSha256 && hexOf(sha256(sealed)) !== sealSha256) throw damaged("seal: hash");
  const records = walk(sealed);
  const last = records.at(-1);
  if (last.bodyBytes !== (await files.body.size()) || last.bodyBytes < NONCE_BYTES) throw damaged("body: length");
  const key = await fileKey(head, identity);
  const nonce = await files.body.read(0, NONCE_BYTES);
  const content = opened(records, bytesOf(id), key, nonce);
  const about = decodeJson(content[0].payload);
  if (!(about.law in WAV_FORMAT) || about.recording !== id) throw damaged("seal: start");
  const recording = new Recording(about, content, new Body(files.body, key, nonce, last, last.type === Type.END));
  await recording.checkHeader();
  return recording;
}

async function whole(source) {
  const size = await source.size();
  if (size > MAX_SEAL_BYTES) throw damaged(`${source.name}: length`);
  return source.read(0, size);
}

export class Recording {
  constructor(about, records, body) {
    const of = (type) => records.filter((record) => record.type === type).map((record) => record.payload);
    this.about = about;
    this.id = about.recording;
    this.law = about.law;
    this.body = body;
    this.isClosed = body.isClosed;
    this.summary = this.isClosed ? decodeJson(records.at(-1).payload) : {};
    this.marks = of(Type.MARK).map(decodeJson);
    this.ticks = of(Type.TICK).map(decodeTick);
    this.late = of(Type.LATE).map(decodeLate);
    if (this.ticks.length && this.ticks.at(-1).plainBytes !== body.plainBytes) throw damaged("seal: length");
    this.speech = frames(this.ticks, WAV_HEADER_BYTES);
    this.length = Math.max(0, (body.plainBytes - WAV_HEADER_BYTES) >> 1); // samples of each channel
  }

  get milliseconds() {
    return this.length / (RATE / 1000);
  }

  // What the levels of each half second are at: {at, left, right}, `at` the first sample, levels in dBov.
  levels() {
    const starts = [WAV_HEADER_BYTES, ...this.ticks.map((tick) => tick.plainBytes)];
    return this.ticks.map((tick, index) => ({
      at: (starts[index] - WAV_HEADER_BYTES) >> 1,
      left: tick.left.level,
      right: tick.right.level,
    }));
  }

  // The WAV header that must stand before the sound.
  async checkHeader() {
    const header = await this.body.read(0, Math.min(WAV_HEADER_BYTES, this.body.plainBytes));
    const expected = new DataView(new ArrayBuffer(WAV_HEADER_BYTES));
    const word = (at, text) => [...text].forEach((letter, index) => expected.setUint8(at + index, letter.charCodeAt(0)));
    word(0, "RIFF");
    word(8, "WAVEfmt ");
    word(38, "data");
    for (const at of [4, 42]) expected.setUint32(at, 0xffffffff, true);
    for (const [at, value] of [[16, 18], [24, RATE], [28, 2 * RATE]]) expected.setUint32(at, value, true);
    for (const [at, value] of [[20, WAV_FORMAT[this.law]], [22, 2], [32, 2], [34, 8]]) expected.setUint16(at, value, true);
    if (!isEqual(header, new Uint8Array(expected.buffer))) throw damaged("body: header");
  }

  // Samples [from, to) of both channels as Int16Arrays, with every late packet where it belongs.
  async samples(from, to) {
    const until = Math.min(to, this.length);
    return this.#decoded(await this.body.read(placeOf(from), placeOf(until)), from, until);
  }

  // The same of what is open already, for pictures; the rest is drawn as silence.
  held(from, to) {
    const until = Math.min(to, this.length);
    return this.#decoded(this.body.held(placeOf(from), placeOf(until), SILENCE[this.law]), from, until);
  }

  #decoded(stereo, from, until) {
    const table = TABLES[this.law];
    const count = stereo.length >> 1;
    const out = [new Int16Array(count), new Int16Array(count)];
    for (let n = 0; n < count; n++) {
      out[0][n] = table[stereo[2 * n]];
      out[1][n] = table[stereo[2 * n + 1]];
    }
    for (const late of this.late) {
      for (let n = Math.max(0, from - late.position); n < late.sound.length && late.position + n < until; n++) {
        out[late.channel][late.position + n - from] = table[late.sound[n]];
      }
    }
    return { left: out[0], right: out[1] };
  }

  // Reads and authenticates every byte; `told` hears the share that is done. Fault at the first that is not the box's.
  async check(told = () => {}) {
    for (let index = 0; index < this.body.count; index++) {
      await this.body.chunk(index);
      told(index / this.body.count / 2);
    }
    await this.body.checkHash((share) => told(0.5 + share / 2));
  }
}
