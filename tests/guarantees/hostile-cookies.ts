import type { Random } from "../support/arbitraries/random.ts";
import { pick } from "../support/arbitraries/random.ts";
import { character, percent, replaceAt, scramble } from "../support/arbitraries/spoil.ts";
import { idFrom, LETTERS } from "./ids.ts";

/** What somebody who wants to be let in has to work with. */
export interface Loot {
  /** What the session's cookie is called. */
  readonly name: string;
  /** Ids that open sessions: a header that does so is spoilt by as little as one character. */
  readonly ids: readonly string[];
}

/**
 * Makes `Cookie` headers that are nearly right, one with each call: put together from pairs that are
 * spoilt on purpose, or a good header with a few characters changed blindly. Some are right after all.
 */
export function hostileCookies(random: Random, loot: Loot): () => string {
  return () => {
    const id = pick(loot.ids, random);
    return random(3) === 0
      ? scramble(`theme=dark; ${loot.name}=${id}; lang=de`, random)
      : compose(loot.name, id, random);
  };
}

/** Blanks that are none in HTTP, and characters that print nothing. */
const SPACES = [
  ..."\v\f\u0085\u00a0\u1680\u2000\u2003\u200a\u200b\u2028\u202f\u3000\ufeff",
] as const;

type Spoil = (text: string, random: Random) => string;

/** Texts in which `#` stands for what is spoilt. */
function withIn(...texts: readonly string[]): Spoil[] {
  return texts.map((each) => (text) => each.replaceAll("#", () => text));
}

const VALUES: readonly Spoil[] = [
  // A character more, fewer or other.
  (id, random) => id.slice(0, random(id.length)),
  (id, random) => id.slice(random(id.length)),
  (id, random) => id + pick(LETTERS, random),
  (id, random) => pick(LETTERS, random) + id,
  (id, random) => replaceAt(id, random(id.length), pick(LETTERS, random)),
  (id, random) => replaceAt(id, random(id.length), character(random)),
  (id, random) => replaceAt(id, random(id.length), "\0"),
  (id) => id.toLowerCase(),
  (id) => id.toUpperCase(),
  (id) => [...id].toReversed().join(""),
  (id) => id + id,
  // The same bytes, spelt another way.
  (id, random) => id.slice(0, -1) + (LETTERS[LETTERS.indexOf(id.slice(-1)) + 1 + random(3)] ?? ""),
  ...withIn("#=", "#=="),
  (id) => id.replaceAll("-", "+").replaceAll("_", "/"),
  (id) => Buffer.from(id, "base64url").toHex(),
  (id) => percent(id),
  (id, random) => {
    const at = random(id.length);
    return replaceAt(id, at, percent(id.charAt(at)));
  },
  (id, random) => replaceAt(id, random(id.length), String.fromCharCode(0x100 + id.charCodeAt(0))),
  // Something around it.
  (id, random) => pick(SPACES, random) + id,
  (id, random) => id + pick(SPACES, random),
  (id, random) => `${pick(["\t", " ", "  "], random)}${id}${pick(["\t", " ", "\t "], random)}`,
  ...withIn('"#"', "'#'", "#,#", "#\0", "#\r\nset-cookie: a=b", "../#", "bunpie:#"),
  // How other libraries write theirs.
  (id) => `s:${id}.${id}`,
  (id) => `j:${JSON.stringify(id)}`,
  (id) => `${id}.${id}.${id}`,
  // What a thief of the store has.
  (id) => new Bun.CryptoHasher("sha256").update(id).digest("base64url"),
  // What means something elsewhere.
  ...withIn("", "*", "%", `${"_".repeat(42)}A`, "A".repeat(43), "__proto__", "constructor"),
  ...withIn("undefined", "[object Object]", "../../etc/passwd", "' OR 1=1 --", "{$ne:null}"),
  ...withIn("00000000-0000-4000-8000-000000000000"),
  // Guesses: well-formed, and never issued.
  (_, random) => idFrom(random),
];

const NAMES: readonly Spoil[] = [
  (name) => name.toUpperCase(),
  (name) => name.charAt(0).toUpperCase() + name.slice(1),
  ...withIn("__Host-#", "__host-#", "__Secure-#"),
  (name) => name.replace("__Host-", ""),
  (name) => name.replace("__Host-", "__HOST-"),
  (name, random) => pick(SPACES, random) + name,
  (name, random) => name + pick(SPACES, random),
  (name, random) => replaceAt(name, random(name.length), character(random)),
  (name) => name.slice(1),
  (name) => name.slice(0, -1),
  ...withIn("x#", "#x", "$#", "a #", '"#"', "#\0", "#[]"),
  (name) => name.replaceAll("_", "."),
  (name) => name.replaceAll("_", "%5F"),
  (name) => name.replaceAll("s", "ſ"),
  (name) => name.replaceAll("s", "ѕ"),
  (name) => name.replaceAll("_", "＿"),
  (name) => percent(name),
  ...withIn("", "__proto__"),
];

const JOINTS = ["", " = ", " =", "= ", "\t=", "==", ":", "%3D", "＝", "\u00a0=", "=\u00a0", "\0="];
const SEPARATORS = [";", " ; ", ";\t", ";;", "; ;", ",", ", ", "&", " ", "\0", "\r\n", "\n", "；"];
const COMPANIONS: readonly Spoil[] = [
  ...withIn("theme=dark", "theme", "=dark", "", "$Version=1", "Path=/", "__proto__=1"),
  ...withIn('quoted="a', '"', "theme=#", 'theme="#"', "=#"),
  (pair) => pair.replace("=", ""),
];

/** Up to four pairs, each of them right, spoilt or somebody else's. */
function compose(name: string, id: string, random: Random): string {
  const pair = (): string =>
    sometimes(name, NAMES, random) +
    (random(4) === 0 ? pick(JOINTS, random) : "=") +
    sometimes(id, VALUES, random);
  const separator = random(3) === 0 ? pick(SEPARATORS, random) : "; ";
  const pairs = Array.from({ length: 1 + random(4) }, (_, index) =>
    index > 0 && random(3) > 0 ? pick(COMPANIONS, random)(`${name}=${id}`, random) : pair(),
  );
  if (random(2) === 0) pairs.reverse();
  if (random(20_000) === 0) pairs.unshift(`padding=${"x".repeat(17_000)}`);
  return pairs.join(separator);
}

/** The text, spoilt in one of these ways half of the time. */
function sometimes(text: string, spoils: readonly Spoil[], random: Random): string {
  return random(2) === 0 ? text : pick(spoils, random)(text, random);
}
