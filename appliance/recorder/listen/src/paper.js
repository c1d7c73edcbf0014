// A private key as thirty words of which a wrong one is named: the code of ceremony/words.py, and of ceremony/paper.py
// what reads one sheet. The three shares of SLIP-39 are for the command alone.

import { bytesToHex, hexToBytes } from "@noble/hashes/utils.js";
import { Fault } from "./fault.js";
import { identityOf, seedOf } from "./identity.js";
import { WORDLIST } from "./wordlist.js";

export const WORDS = 30;
const CHECK_WORDS = 4;
const SEED_BITS = 256n;
const MARK = [...new TextEncoder().encode("pasokh")];
const KINDS = ["hybrid", "classic"];
const FIELD = 0x409; // x^10 + x^3 + 1; x is primitive in it
const ORDER = 1023;
const MOST_LETTERS = 8 << 10;

const POWERS = [];
const LOGS = [];
for (let exponent = 0, value = 1; exponent < ORDER; exponent++) {
  POWERS[exponent] = value;
  LOGS[value] = exponent;
  value <<= 1;
  if (value > ORDER) value ^= FIELD;
}
const NUMBERS = new Map(WORDLIST.flatMap((word, number) => [[word, number], [word.slice(0, 4), number]]));

const times = (left, right) => (left && right ? POWERS[(LOGS[left] + LOGS[right]) % ORDER] : 0);
const over = (left, right) => (left ? POWERS[(LOGS[left] - LOGS[right] + ORDER) % ORDER] : 0);

// The thirty words of a private key.
export function wordsOf(identity) {
  const { kind, seed } = seedOf(identity);
  const number = (BigInt(KINDS.indexOf(kind)) << SEED_BITS) | BigInt(`0x${bytesToHex(seed)}`);
  const data = [];
  for (let shift = 10 * (WORDS - CHECK_WORDS - 1); shift >= 0; shift -= 10) data.push(Number((number >> BigInt(shift)) & 1023n));
  return [...data, ...checkWords([...MARK, ...data])].map((symbol) => WORDLIST[symbol]);
}

// Whether this looks like the words of a sheet, typed or pasted.
export const isWords = (text) => /^[\s\d.,a-z]+$/i.test(text) && (text.match(/[a-z]+/gi) ?? []).length >= WORDS / 2;

// The number of a word in the list, by its first four letters; undefined where it is none.
export const numberOf = (word) => NUMBERS.get(word.trim().toLowerCase());

// The private key of a sheet; a Fault names the wrong words and what belongs there.
export function identityFromWords(text) {
  const isLong = text.length > MOST_LETTERS;
  const typed = isLong ? text.trim().split(/\s+/) : text.toLowerCase().match(/\p{L}+/gu) ?? [];
  if (isLong || typed.length !== WORDS) throw new Fault("ceremony.word_count", { sheet: 1, count: typed.length, needed: WORDS });
  const unknown = new Set(typed.flatMap((word, place) => (NUMBERS.has(word) ? [] : [place])));
  const symbols = typed.map((word) => NUMBERS.get(word) ?? NUMBERS.get(likeliest(word)));
  const found = located(syndromes([...MARK, ...symbols]), symbols);
  if (unknown.size || !found || found.size) throw wrongWords(typed, unknown, found ?? new Map());
  const number = symbols.slice(0, WORDS - CHECK_WORDS).reduce((sum, symbol) => (sum << 10n) | BigInt(symbol), 0n);
  const kind = KINDS[Number(number >> SEED_BITS)];
  if (!kind) throw new Fault("ceremony.many_wrong", { sheet: 1 });
  return identityOf(hexToBytes((number & ((1n << SEED_BITS) - 1n)).toString(16).padStart(64, "0")), kind);
}

function syndromes(symbols) {
  return Array.from({ length: CHECK_WORDS }, (_, index) => (
    symbols.reduce((value, symbol) => times(value, POWERS[index + 1]) ^ symbol, 0)
  ));
}

// Place -> symbol that belongs there, for none, one or two wrong ones; null for more.
function located(found, symbols) {
  if (!found.some(Boolean)) return new Map();
  const changed = (exponents, errors) => new Map(exponents.map((exponent, index) => {
    const place = WORDS - 1 - exponent;
    return [place, symbols[place] ^ errors[index]];
  }));
  for (let one = 0; one < WORDS; one++) {
    const errors = errorsAt(found, [POWERS[one]]);
    if (errors) return changed([one], errors);
  }
  for (let one = 0; one < WORDS; one++) {
    for (let other = one + 1; other < WORDS; other++) {
      const errors = errorsAt(found, [POWERS[one], POWERS[other]]);
      if (errors) return changed([one, other], errors);
    }
  }
  return null;
}

// Errors at these points that explain every syndrome: S_j = sum of e * x^j.
function errorsAt(found, points) {
  let terms = [found[0]];
  if (points.length === 2) {
    const other = over(found[1] ^ times(found[0], points[0]), points[0] ^ points[1]);
    terms = [found[0] ^ other, other];
  }
  const errors = terms.map((term, index) => over(term, points[index]));
  if (!errors.every(Boolean)) return null;
  for (const syndrome of found) {
    if (terms.reduce((sum, term) => sum ^ term, 0) !== syndrome) return null;
    terms = terms.map((term, index) => times(term, points[index]));
  }
  return errors;
}

function checkWords(symbols) {
  let generator = [1];
  for (let exponent = 1; exponent <= CHECK_WORDS; exponent++) {
    const shifted = [...generator, 0];
    generator.forEach((coefficient, index) => { shifted[index + 1] ^= times(coefficient, POWERS[exponent]); });
    generator = shifted;
  }
  let rest = new Array(CHECK_WORDS).fill(0);
  for (const symbol of symbols) {
    const factor = symbol ^ rest[0];
    rest = [...rest.slice(1), 0].map((low, index) => low ^ times(factor, generator[index + 1]));
  }
  return rest;
}

// The word of the list that differs least (edit distance).
function likeliest(word) {
  let [best, least] = ["", Infinity];
  for (const each of WORDLIST) {
    const distance = apart(word.slice(0, 20), each);
    if (distance < least) [best, least] = [each, distance];
  }
  return best;
}

function apart(one, other) {
  let row = Array.from({ length: other.length + 1 }, (_, index) => index);
  [...one].forEach((letter, line) => {
    const next = [line + 1];
    for (let at = 0; at < other.length; at++) {
      next.push(Math.min(next[at] + 1, row[at + 1] + 1, row[at] + (letter === other[at] ? 0 : 1)));
    }
    row = next;
  });
  return row[other.length];
}

function wrongWords(typed, unknown, found) {
  const right = new Map([...unknown].map((place) => [place, likeliest(typed[place])]));
  for (const [place, symbol] of found) right.set(place, WORDLIST[symbol]);
  if (!right.size) return new Fault("ceremony.many_wrong", { sheet: 1 });
  const places = [...right.keys()].sort((one, other) => one - other);
  return new Fault("ceremony.wrong_words", {
    sheet: 1,
    wrong: places.map((place) => `${place + 1} (${typed[place].slice(0, 20)})`).join(", "),
    likely: places.map((place) => `${place + 1} ${right.get(place)}`).join(", "),
  });
}
