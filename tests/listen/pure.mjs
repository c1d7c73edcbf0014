// What the player computes without a browser: prints what the sound of a steady tone becomes at each speed.
import { readFileSync } from "node:fs";
import { runInThisContext } from "node:vm";

runInThisContext(readFileSync(process.argv[2], "utf8").replace("var PasokhListen", "globalThis.PasokhListen"));
const { Stretch } = globalThis.PasokhListen;
const RATE = 8000;
const [SECONDS, HERTZ] = [8, 200];
const tone = Float32Array.from({ length: SECONDS * RATE }, (_, n) => 0.5 * Math.sin((2 * Math.PI * HERTZ * n) / RATE));

for (const speed of [0.5, 1, 1.5, 2, 3]) {
  const stretch = new Stretch(speed);
  let [length, crossings, differs, before, step] = [0, 0, 0, 0, 0];
  for (let at = 0; at < tone.length; at += 2000) {
    const piece = tone.subarray(at, at + 2000);
    const [left, right] = stretch.push(piece, piece.map((sample) => -sample));
    left.forEach((sample, n) => {
      if (before < 0 && sample >= 0) crossings++;
      step = Math.max(step, Math.abs(sample - before));
      differs += Math.abs(sample + right[n]);
      before = sample;
    });
    length += left.length;
  }
  console.log(JSON.stringify({ speed, seconds: length / RATE, hertz: crossings / (length / RATE), differs, step }));
}
