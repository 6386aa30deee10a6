import type { Random } from "./random.ts";
import { pick } from "./random.ts";

type Edit = (text: string, at: number, random: Random) => string;

/** What happens to bytes on a wire, and what a fuzzer does to them. */
const EDITS: readonly Edit[] = [
  (text, at, random) => replaceAt(text, at, character(random)),
  (text, at, random) => text.slice(0, at) + character(random) + text.slice(at),
  (text, at) => replaceAt(text, at, ""),
  (text, at, random) => text.slice(0, at) + text.slice(at + 1 + random(8)),
  (text, at, random) => text.slice(0, at + 1 + random(8)) + text.slice(at),
  (text, at) => text.slice(0, at) + text.charAt(at + 1) + text.charAt(at) + text.slice(at + 2),
];

/** The text with one to four blind edits. */
export function scramble(text: string, random: Random): string {
  let result = text;
  for (let edits = 1 + random(4); edits > 0; edits--) {
    result = pick(EDITS, random)(result, random(result.length + 1), random);
  }
  return result;
}

/** Mostly a byte, now and then any code unit. */
export function character(random: Random): string {
  return String.fromCharCode(random(random(8) === 0 ? 0x10000 : 0x100));
}

/** The text with something else in the place of one character. */
export function replaceAt(text: string, at: number, replacement: string): string {
  return text.slice(0, at) + replacement + text.slice(at + 1);
}

/** The text with every byte percent-encoded. */
export function percent(text: string): string {
  return Buffer.from(text).toHex().replaceAll(/../g, "%$&");
}
