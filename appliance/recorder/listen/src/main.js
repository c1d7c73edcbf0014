// Starts what the document asks for; everything is also there by name, for the tests and for who wants to build on it.

import { Viewer } from "./offline.js";
import { startPage } from "./page.js";
import { Words } from "./words.js";

export { isWrapped, identityFrom } from "./key.js";
export { openRecording, Recording } from "./recording.js";
export { FileSource, HttpSource } from "./source.js";
export { overtalk, silences, stretches } from "./speech.js";
export { Stretch } from "./stretch.js";

function start() {
  const catalogues = JSON.parse(document.getElementById("listen-words").textContent);
  const page = document.getElementById("listen");
  if (page) startPage(page, new Words(catalogues, document.documentElement.lang));
  else {
    const language = navigator.language.startsWith("fa") ? "fa" : document.documentElement.lang;
    new Viewer(document.getElementById("viewer"), catalogues, language);
  }
}

if (typeof document !== "undefined") start();
