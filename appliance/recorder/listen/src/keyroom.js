// The ceremony and the drill as a person meets them: in one file on the owner's machine, and at /keys of the box.

import { Ceremony } from "./ceremony.js";
import { Drill } from "./drill.js";
import { element } from "./elements.js";
import { Fault } from "./fault.js";
import { FileSource, HttpSource } from "./source.js";
import { Words } from "./words.js";

const PARTS = ["head", "body", "seal"];

// The page: `place` has data-set, data-recording and data-files once the box has a signed set.
export function startKeys(place, catalogues) {
  const words = new Words(catalogues, document.documentElement.lang);
  const { set, recording: id, files } = place.dataset;
  const [tries, makes] = [element("section", { class: "card keyroom" }), element("section", { class: "card keyroom" })];
  place.replaceChildren(...(set ? [tries, makes] : [makes]));
  if (set) {
    new Drill(tries, words, () => ({ set, id, sources: Object.fromEntries(PARTS.map((part) => [part, new HttpSource(`${files}/${part}`, part)])) }));
    const other = element("button", { id: "keys-other", type: "button", onclick: () => new Ceremony(makes, words, catalogues) }, words.say("keys.make_others"));
    makes.append(other);
  } else new Ceremony(makes, words, catalogues);
}

// The file: the set and the test recording are files too.
export function startKeysOffline(place, catalogues, language) {
  const words = new Words(catalogues, language);
  document.documentElement.lang = words.language;
  document.documentElement.dir = words.direction;
  document.title = words.say("keys.title");
  const other = words.language === "fa" ? "en" : "fa";
  const speak = () => startKeysOffline(place, catalogues, other);
  const [makes, tries] = [element("section", { class: "card keyroom" }), element("section", { class: "card keyroom" })];
  const files = element("input", { id: "drill-files", type: "file", multiple: true });
  place.replaceChildren(
    element("header", { class: "row" }, element("h1", {}, words.say("keys.title")),
      element("button", { id: "keys-language", type: "button", lang: other, onclick: speak }, other === "fa" ? "فارسی" : "English")),
    makes, tries);
  new Drill(tries, words, () => fromFiles([...files.files]), [element("label", {}, words.say("keys.drill_files"), files)]);
  new Ceremony(makes, words, catalogues);
}

async function fromFiles(files) {
  const of = (ending) => {
    const found = files.find((file) => file.name.endsWith(ending));
    if (!found) throw new Fault("listen.file_missing", { file: `*${ending}` });
    return found;
  };
  const id = of(".seal").name.replace(/\.seal$/, "");
  return { set: await of(".txt").text(), id, sources: Object.fromEntries(PARTS.map((part) => [part, new FileSource(of(`.${part}`), part)])) };
}
