// Where the bytes of a recording's files come from: the box by ranges, or files that a person has dropped.
// A source has `read(from, to)`, which gives exactly these bytes, and `size()`.

import { damaged, Fault } from "./fault.js";

const RANGE_BYTES = 1 << 20; // the most the box serves at once

export class HttpSource {
  // `name` is what a damage is called: head, body, seal.
  constructor(url, name) {
    this.url = url;
    this.name = name;
    this.total = null;
  }

  async size() {
    if (this.total === null) await this.#range(0, 1);
    return this.total;
  }

  async read(from, to) {
    const out = new Uint8Array(to - from);
    for (let at = from; at < to; at += RANGE_BYTES) {
      const part = await this.#range(at, Math.min(at + RANGE_BYTES, to));
      if (part.length !== Math.min(RANGE_BYTES, to - at)) throw damaged(`${this.name}: length`);
      out.set(part, at - from);
    }
    return out;
  }

  async #range(from, to) {
    let answer;
    try {
      answer = await fetch(this.url, { headers: { range: `bytes=${from}-${to - 1}` }, redirect: "error", cache: "no-store" });
    } catch {
      throw new Fault("listen.unreachable");
    }
    if (answer.status === 404) throw new Fault("listen.gone");
    if (answer.status === 403) throw new Fault("listen.not_granted");
    if (answer.status === 416) throw damaged(`${this.name}: length`);
    if (answer.status !== 206) throw new Fault("listen.unreachable");
    this.total = Number(answer.headers.get("content-range").split("/")[1]);
    return new Uint8Array(await answer.arrayBuffer());
  }
}

export class FileSource {
  constructor(file, name) {
    this.file = file;
    this.name = name;
  }

  async size() {
    return this.file.size;
  }

  async read(from, to) {
    if (to > this.file.size) throw damaged(`${this.name}: length`);
    try {
      return new Uint8Array(await this.file.slice(from, to).arrayBuffer());
    } catch {
      throw new Fault("listen.unreadable", { file: this.file.name });
    }
  }
}
