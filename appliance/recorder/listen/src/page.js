// The page of the box: the recording's id and the hash of its seal come from the records, its files by ranges.

import { Desk } from "./desk.js";
import { Keyhole } from "./keyhole.js";
import { openRecording } from "./recording.js";
import { HttpSource } from "./source.js";

const PARTS = ["head", "body", "seal"];

// `place` has data-recording, data-seal and data-files, the address below which the three files are.
export function startPage(place, words) {
  const { recording: id, seal, files } = place.dataset;
  new Keyhole(place, words, async (identity) => {
    const sources = Object.fromEntries(PARTS.map((part) => [part, new HttpSource(`${files}/${part}`, part)]));
    new Desk(place, await openRecording(sources, identity, id, seal), words); // the key itself is not kept
  });
}
