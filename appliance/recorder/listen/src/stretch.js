// Faster or slower without another pitch: overlap and add of the most alike pieces (WSOLA; Verhelst and Roelands,
// ICASSP 1993), both channels cut at the same places so that they stay together. The last 40 ms are kept back.

const HALF = 120; // 15 ms at 8 kHz: frames of 30 ms, half overlapped
const SEARCH = 80; // 10 ms: the longest pitch period of a voice is about 12 ms
const NEEDS = 2 * HALF + SEARCH;

export class Stretch {
  constructor(rate) {
    this.rate = rate;
    this.left = new Float32Array(0);
    this.right = new Float32Array(0);
    this.at = SEARCH; // where the next piece would begin, in what is kept
    this.tail = null; // [left, right]: what would follow the last piece, to be faded out
  }

  // Takes samples of both channels, gives those that are ready: [left, right], about 1/rate as long.
  push(left, right) {
    if (this.rate === 1) return [left, right];
    this.left = joined(this.left, left);
    this.right = joined(this.right, right);
    const pieces = [];
    while (this.at + NEEDS <= this.left.length) {
      pieces.push(this.#piece(Math.round(this.at)));
      this.at += HALF * this.rate;
    }
    const done = Math.max(0, Math.min(Math.floor(this.at) - SEARCH, this.left.length));
    this.left = this.left.slice(done);
    this.right = this.right.slice(done);
    this.at -= done;
    return [0, 1].map((channel) => joined(...pieces.map((piece) => piece[channel])));
  }

  #piece(at) {
    const from = this.tail ? at + this.#bestShift(at) : at;
    const out = [this.left, this.right].map((sound, channel) => {
      const piece = sound.slice(from, from + HALF);
      if (this.tail) {
        for (let n = 0; n < HALF; n++) piece[n] = this.tail[channel][n] + (piece[n] - this.tail[channel][n]) * (n / HALF);
      }
      return piece;
    });
    this.tail = [this.left, this.right].map((sound) => sound.slice(from + HALF, from + 2 * HALF));
    return out;
  }

  // How far from `at` the sound is most like what would have followed.
  #bestShift(at) {
    let [best, shift] = [0, 0];
    for (let d = -SEARCH; d < SEARCH; d++) {
      let [product, power] = [0, 1e-9];
      for (let n = 0; n < HALF; n += 2) {
        const [left, right] = [this.left[at + d + n], this.right[at + d + n]];
        product += left * this.tail[0][n] + right * this.tail[1][n];
        power += left * left + right * right;
      }
      const likeness = product / Math.sqrt(power);
      if (likeness > best) [best, shift] = [likeness, d];
    }
    return shift;
  }
}

function joined(...parts) {
  const out = new Float32Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}
