// From speech bits to what is drawn and skipped. Pure; times are frames of 20 ms from the recording's start.
//
// Raw bits are right for shares of time; stretches are smoothed as speech.py does: a pause below 300 ms belongs to the
// speech, a stretch below 100 ms is none.

export const FRAME_MS = 20;
const FRAME_BYTES = 320; // 20 ms of both directions
const JOIN_FRAMES = 15;
const LEAST_FRAMES = 5;
const OVERTALK_FRAMES = 10;
const SKIP_FROM_FRAMES = 50; // a silence of a second is worth skipping
const MARGIN_FRAMES = 12; // and begins and ends with a quarter of one that is heard

// {left, right}: one byte per frame, 1 for speech. `headerBytes` stand before the sound.
export function frames(ticks, headerBytes) {
  const total = ticks.length ? Math.floor((ticks.at(-1).plainBytes - headerBytes) / FRAME_BYTES) : 0;
  const [left, right] = [new Uint8Array(total), new Uint8Array(total)];
  let at = 0;
  for (const tick of ticks) {
    const until = Math.floor((tick.plainBytes - headerBytes) / FRAME_BYTES);
    for (let bit = 0; at < until; at++, bit++) {
      left[at] = (tick.left.speech >>> bit) & (bit < 32);
      right[at] = (tick.right.speech >>> bit) & (bit < 32);
    }
  }
  return { left, right };
}

function runs(length, is, least, join) {
  const found = [];
  for (let at = 0; at < length; at++) {
    if (!is(at)) continue;
    const last = found.at(-1);
    if (last && at - last[1] < join) last[1] = at + 1;
    else found.push([at, at + 1]);
  }
  return found.filter(([from, to]) => to - from >= least);
}

// Stretches [from, to) in which one side speaks.
export const stretches = (bits) => runs(bits.length, (at) => bits[at], LEAST_FRAMES, JOIN_FRAMES);

// Stretches in which both speak.
export const overtalk = ({ left, right }) => runs(left.length, (at) => left[at] && right[at], OVERTALK_FRAMES, 1);

// Silences that may be skipped, without their margins.
export function silences({ left, right }) {
  return runs(left.length, (at) => !left[at] && !right[at], SKIP_FROM_FRAMES, 1)
    .map(([from, to]) => [from + MARGIN_FRAMES, to - MARGIN_FRAMES]);
}
