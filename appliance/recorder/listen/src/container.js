// The payload of the age format by chunks, for random access: only the chunks that are played are fetched and opened.
//
// What a newcomer gets wrong: a recording that was never closed has no tag on its last chunk. That chunk is deciphered,
// and the hash of the whole body in the seal vouches for it; so the whole body is read once before it is believed.

import { chacha20, chacha20poly1305 } from "@noble/ciphers/chacha.js";
import { hkdf } from "@noble/hashes/hkdf.js";
import { sha256 } from "@noble/hashes/sha2.js";
import { damaged } from "./fault.js";

export const NONCE_BYTES = 16;
export const TAG_BYTES = 16;
export const CHUNK_BYTES = 65_536;
const SEALED_CHUNK_BYTES = CHUNK_BYTES + TAG_BYTES;
const KEPT_CHUNKS = 64; // 4 MiB of sound: four minutes
const READ_BYTES = 1 << 20;
const ascii = new TextEncoder();

// HKDF-SHA256 to 32 bytes; noble's salt of undefined is RFC 5869's zeros.
export const derive = (secret, salt, info) => hkdf(sha256, secret, salt, ascii.encode(info), 32);

export const isEqual = (one, other) => one.length === other.length && one.every((byte, index) => byte === other[index]);

const NOTHING = new Uint8Array(0);

function* chunksOf(from, to) {
  for (let index = Math.floor(from / CHUNK_BYTES); index * CHUNK_BYTES < to; index++) yield index;
}

// Puts what `out`, which begins at byte `from`, holds of chunk `index` in its place.
function put(out, from, index, plain) {
  const start = index * CHUNK_BYTES;
  out.set(plain.subarray(Math.max(0, from - start), from + out.length - start), Math.max(0, start - from));
}

function chunkNonce(index, isLast) {
  const nonce = new Uint8Array(12);
  new DataView(nonce.buffer).setUint32(7, index); // 11 bytes big-endian: 2^32 chunks are 195 years
  nonce[11] = isLast ? 1 : 0;
  return nonce;
}

export class Body {
  // `source` has `read(from, to)`; `last` is the seal's last record, which says how long the body is and its hash.
  constructor(source, key, nonce, last, isClosed) {
    this.source = source;
    this.key = derive(key, nonce, "payload");
    this.nonce = nonce;
    this.last = last;
    this.isClosed = isClosed;
    const sealed = last.bodyBytes - NONCE_BYTES;
    this.count = Math.max(1, Math.ceil(sealed / SEALED_CHUNK_BYTES));
    const rest = sealed - (this.count - 1) * SEALED_CHUNK_BYTES;
    this.hasOpenChunk = !isClosed && rest < SEALED_CHUNK_BYTES;
    const plainRest = this.hasOpenChunk ? Math.min(rest, CHUNK_BYTES) : rest - TAG_BYTES;
    if (plainRest < 0) throw damaged("body: length");
    this.plainBytes = (this.count - 1) * CHUNK_BYTES + plainRest;
    this.kept = new Map(); // index -> {promise, plain}, the least lately used first
    this.vouched = null; // promise: the hash of the whole body was right
  }

  // The plaintext of chunk `index`; fetched and opened once while it is among the last used.
  chunk(index) {
    const entry = this.kept.get(index) ?? this.#entry(index);
    this.kept.delete(index);
    this.kept.set(index, entry);
    if (this.kept.size > KEPT_CHUNKS) this.kept.delete(this.kept.keys().next().value);
    return entry.promise;
  }

  #entry(index) {
    const entry = { promise: this.#opened(index), plain: null };
    entry.promise.then(
      (plain) => { entry.plain = plain; },
      () => { if (this.kept.get(index) === entry) this.kept.delete(index); }, // a line that failed may be tried again
    );
    return entry;
  }

  async #opened(index) {
    const from = NONCE_BYTES + index * SEALED_CHUNK_BYTES;
    const isLast = index === this.count - 1;
    const sealed = await this.source.read(from, Math.min(from + SEALED_CHUNK_BYTES, this.last.bodyBytes));
    if (isLast && this.hasOpenChunk) {
      this.vouched ??= this.checkHash();
      this.vouched.catch(() => { this.vouched = null; });
      await this.vouched;
      return chacha20(this.key, chunkNonce(index, false), sealed.subarray(0, CHUNK_BYTES), undefined, 1);
    }
    try {
      return chacha20poly1305(this.key, chunkNonce(index, isLast && this.isClosed)).decrypt(sealed);
    } catch {
      throw damaged(`body: chunk ${index}`);
    }
  }

  // Plaintext from byte `from` to `to`.
  async read(from, to) {
    const out = new Uint8Array(Math.max(0, to - from));
    for (const index of chunksOf(from, to)) put(out, from, index, await this.chunk(index));
    return out;
  }

  // The same of what is open already, `filler` for the rest; fetches nothing.
  held(from, to, filler) {
    const out = new Uint8Array(Math.max(0, to - from)).fill(filler);
    for (const index of chunksOf(from, to)) put(out, from, index, this.kept.get(index)?.plain ?? NOTHING);
    return out;
  }

  // Reads the whole body; Fault where it is not the one that the seal was made of.
  async checkHash(told = () => {}) {
    const running = sha256.create();
    for (let from = 0; from < this.last.bodyBytes; from += READ_BYTES) {
      running.update(await this.source.read(from, Math.min(from + READ_BYTES, this.last.bodyBytes)));
      told(from / this.last.bodyBytes);
    }
    if (!isEqual(running.digest(), this.last.digest)) throw damaged("body: hash");
  }
}
