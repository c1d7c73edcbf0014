// What a person must know: a key of messages/*/listen.toml and the fields its text needs. The same keys and words as
// reading.py says: what is damaged is named by its place.

export class Fault extends Error {
  constructor(key, fields = {}) {
    super(`${key} ${Object.values(fields).join(" ")}`.trim());
    this.key = key;
    this.fields = fields;
  }
}

export const damaged = (place) => new Fault("listen.damaged", { place });
