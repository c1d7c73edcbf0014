// The authenticated index of a recording (seal.py): which prefix of the body was whole at each half second, and the
// levels, speech bits, marks and late packets that only the key's holder can read or forge.

import { chacha20poly1305 } from "@noble/ciphers/chacha.js";
import { concatBytes } from "@noble/ciphers/utils.js";
import { derive, TAG_BYTES } from "./container.js";
import { damaged } from "./fault.js";

export const Type = { START: 1, TICK: 2, MARK: 3, LATE: 4, END: 5 };

const MAGIC = "PSKSEAL1";
const INFO = "pasokh/seal/v1";
const CLEAR_BYTES = 49; // type u8, number u64, body length u64, SHA-256
const CHANNEL_BYTES = 17; // timestamp u32, packets, lost, late, filled u16, level i8, speech bits u32
const TICK_CLOCK_BYTES = 25; // plain bytes, UTC ms, monotonic ms u64, clock quality u8
const LATE_BYTES = 13; // channel u8, sample position u64, timestamp u32

const CRC = Uint32Array.from({ length: 256 }, (_, byte) => {
  let value = byte;
  for (let bit = 0; bit < 8; bit++) value = value & 1 ? (value >>> 1) ^ 0xedb88320 : value >>> 1;
  return value;
});

function crc32(bytes) {
  let value = 0xffffffff;
  for (const byte of bytes) value = CRC[(value ^ byte) & 255] ^ (value >>> 8);
  return (value ^ 0xffffffff) >>> 0;
}

const viewOf = (bytes) => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
const u64 = (view, at) => view.getUint32(at) * 2 ** 32 + view.getUint32(at + 4); // exact below 2^53

// Every record, in clear: {type, number, bodyBytes, digest, clear, sealed}. Fault where one is torn, out of order, or
// where anything stands behind the last.
export function walk(data) {
  if (String.fromCharCode(...data.subarray(0, MAGIC.length)) !== MAGIC) throw damaged("seal: record 0");
  const view = viewOf(data);
  const records = [];
  for (let at = MAGIC.length; at < data.length; ) {
    const length = at + 8 <= data.length ? view.getUint32(at) : 0;
    const rest = data.subarray(at + 8, at + 8 + length);
    const isWhole = length >= CLEAR_BYTES + TAG_BYTES && rest.length === length && crc32(rest) === view.getUint32(at + 4);
    const record = isWhole ? recordOf(rest) : null;
    if (!record || record.number !== records.length || record.type < Type.START || record.type > Type.END) {
      throw damaged(`seal: record ${records.length}`);
    }
    records.push(record);
    at += 8 + length;
  }
  return inOrder(records);
}

function recordOf(rest) {
  const view = viewOf(rest);
  return {
    type: rest[0],
    number: u64(view, 1),
    bodyBytes: u64(view, 9),
    digest: rest.subarray(17, CLEAR_BYTES),
    clear: rest.subarray(0, CLEAR_BYTES),
    sealed: rest.subarray(CLEAR_BYTES),
  };
}

function inOrder(records) {
  if (!records.length) throw damaged("seal: record 0");
  if (records[0].type !== Type.START) throw damaged("seal: no start");
  for (let index = 1; index < records.length; index++) {
    const [before, record] = [records[index - 1], records[index]];
    const isOutOfPlace = record.type === Type.START || before.type === Type.END;
    if (isOutOfPlace || record.bodyBytes < before.bodyBytes) throw damaged(`seal: record ${index}`);
  }
  return records;
}

// The payloads of `records`, which must be bound to `recording` (16 bytes): each to the one before it.
export function opened(records, recording, key, nonce) {
  const sealKey = derive(key, nonce, INFO);
  let previous = recording;
  return records.map((record) => {
    const place = new Uint8Array(12);
    viewOf(place).setUint32(8, record.number);
    let payload;
    try {
      payload = chacha20poly1305(sealKey, place, concatBytes(previous, record.clear)).decrypt(record.sealed);
    } catch {
      throw damaged(`seal: record ${record.number}`);
    }
    previous = record.sealed.subarray(-TAG_BYTES);
    return { ...record, payload };
  });
}

// {plainBytes, utcMs, left, right}; a channel has its level (dBov) and its speech bits, 20 ms each, the first in bit 0.
export function decodeTick(payload) {
  if (payload.length !== TICK_CLOCK_BYTES + 2 * CHANNEL_BYTES) throw damaged("seal: tick");
  const view = viewOf(payload);
  const channel = (at) => ({ level: view.getInt8(at + 12), speech: view.getUint32(at + 13) });
  return {
    plainBytes: u64(view, 0),
    utcMs: u64(view, 8),
    left: channel(TICK_CLOCK_BYTES),
    right: channel(TICK_CLOCK_BYTES + CHANNEL_BYTES),
  };
}

// A packet that came after its slot was written; `position` in samples, `channel` 0 left, 1 right.
export function decodeLate(payload) {
  if (payload.length < LATE_BYTES) throw damaged("seal: late packet");
  return { channel: payload[0] & 1, position: u64(viewOf(payload), 1), sound: payload.subarray(LATE_BYTES) };
}

export const decodeJson = (payload) => JSON.parse(new TextDecoder().decode(payload));
