// The recovery sheet in the page, to be printed: what ceremony/sheet.py writes as a file, in both languages.

import { encodeQR } from "qr";
import { element } from "./elements.js";
import { WORDS } from "./paper.js";
import { Words } from "./words.js";

const LINES = 10;
const COLUMNS = 6;
const SVG = "http://www.w3.org/2000/svg";
const BORDER = 4; // modules of white around the code (ISO/IEC 18004)

// `sheet` has words, code (what the QR code says), kind, fingerprint, signer, made (UTC ms) and version.
export function sheetOf(sheet, catalogues) {
  const [fa, en] = ["fa", "en"].map((language) => new Words(catalogues, language));
  return element("article", { id: "keys-sheet", class: "sheet", lang: "fa", dir: "rtl" },
    element("div", { class: "top" }, about(sheet, fa), code(sheet.code)),
    grid(sheet.words), lines(fa),
    element("section", { lang: "en", dir: "ltr" }, about(sheet, en), lines(en)));
}

function about(sheet, words) {
  const [here, other] = words.language === "fa" ? ["fa-IR-u-ca-persian", "en-GB"] : ["en-GB", "fa-IR-u-ca-persian"];
  const day = (locale) => new Intl.DateTimeFormat(locale, { dateStyle: "long", timeZone: "Asia/Tehran" }).format(sheet.made);
  const fact = (key, ...said) => element("div", {}, words.say(`ceremony.sheet_${key}`), " ", ...said);
  return element("div", {}, element("h1", {}, words.say("ceremony.sheet_title")),
    fact("made", day(here), " (", element("bdi", {}, day(other)), ")"),
    fact("key", element("code", {}, `${sheet.fingerprint} ${sheet.kind}`)),
    fact("signer", element("code", {}, sheet.signer.slice(0, 16))),
    fact("version", words.digits(sheet.version)));
}

function lines(words) {
  const items = Array.from({ length: LINES }, (_, index) => {
    const parts = words.say(`ceremony.sheet_line_${index + 1}`).split("`"); // what is typed stands between backquotes
    return element("li", {}, ...parts.map((part, at) => (at % 2 ? element("code", {}, part) : part)));
  });
  return element("ol", { lang: words.language }, ...items);
}

function grid(words) {
  const cell = (place) => element("td", {}, element("small", {}, String(place + 1)), words[place]);
  const row = (start) => element("tr", {}, ...Array.from({ length: COLUMNS }, (_, at) => cell(start + at)));
  return element("table", { dir: "ltr" }, ...Array.from({ length: WORDS / COLUMNS }, (_, at) => row(at * COLUMNS)));
}

function code(said) {
  const modules = encodeQR(said, "raw", { ecc: "medium", border: BORDER });
  const picture = document.createElementNS(SVG, "svg");
  picture.setAttribute("viewBox", `0 0 ${modules.length} ${modules.length}`);
  const path = document.createElementNS(SVG, "path");
  path.setAttribute("d", modules.flatMap((row, y) => row.map((isBlack, x) => (isBlack ? `M${x} ${y}h1v1h-1z` : ""))).join(""));
  picture.append(path);
  return picture;
}
