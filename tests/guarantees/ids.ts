import { NEW_RECORD } from "../../src/store/record.ts";
import type { SessionStore } from "../../src/store/session-store.ts";
import type { Random } from "../support/arbitraries/random.ts";

/** An id of the form that Bunpie's have, from random numbers that can be had again. */
export function idFrom(random: Random): string {
  return Uint8Array.from({ length: 32 }, () => random(256)).toBase64({
    alphabet: "base64url",
    omitPadding: true,
  });
}

export function idsFrom(random: Random, count: number): string[] {
  return Array.from({ length: count }, () => idFrom(random));
}

/** What a store knows the session by, found without Bunpie's code. */
export function toKey(id: string, cookieName = "session_id"): string {
  const realm = cookieName === "session_id" ? "" : `\n${cookieName}\n`;
  return new Bun.CryptoHasher("sha256").update(id + realm).digest("base64url");
}

/** Puts a live session into the store for each id, by hand. */
export async function plant(
  store: SessionStore,
  ids: readonly string[],
  cookieName?: string,
): Promise<void> {
  const now = Date.now();
  const times = { createdAt: now, touchedAt: now, expiresAt: now + 60 * 60_000 };
  const record = { ...NEW_RECORD, ...times, data: '{"visits":1}' };
  await Promise.all(ids.map((id) => store.create(toKey(id, cookieName), record)));
}

/** Every id-like text that differs from this one in one character, of those that ids are made of. */
export function* generateVariants(id: string): Generator<string> {
  for (let at = 0; at < id.length; at++) {
    for (const letter of LETTERS) {
      if (letter !== id[at]) yield id.slice(0, at) + letter + id.slice(at + 1);
    }
  }
}

/** What base64url is written in. */
export const LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
