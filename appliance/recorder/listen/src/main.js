// Starts what the document asks for; everything is also there by name, for the tests and for who wants to build on it.

import { startKeys, startKeysOffline } from "./keyroom.js";
import { Viewer } from "./offline.js";
import { startPage } from "./page.js";
import { Words } from "./words.js";

export { firstSet, wrappedByPassphrase } from "./ceremony.js";
export { identityFrom } from "./key.js";
export { identityFromWords, wordsOf } from "./paper.js";
export { openRecording, Recording } from "./recording.js";
export { readDrill, readSet, signDrill } from "./signed.js";
export { FileSource, HttpSource } from "./source.js";
export { overtalk, silences, stretches } from "./speech.js";
export { Stretch } from "./stretch.js";

function start() {
  const catalogues = JSON.parse(document.getElementById("listen-words").textContent);
  const [page, keys, ceremony] = ["listen", "keys", "ceremony"].map((id) => document.getElementById(id));
  const language = navigator.language.startsWith("fa") ? "fa" : document.documentElement.lang;
  if (page) startPage(page, new Words(catalogues, document.documentElement.lang));
  else if (keys) startKeys(keys, catalogues);
  else if (ceremony) startKeysOffline(ceremony, catalogues, language);
  else new Viewer(document.getElementById("viewer"), catalogues, language);
}

if (typeof document !== "undefined") start();
