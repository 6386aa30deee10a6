import { describe, expect, test } from "bun:test";

import { createId, hashId, isId } from "../../src/session/id.ts";

const SAMPLE = 100_000;

describe("createId", () => {
  test("I1: never returns the same id twice, and sets each of its 256 bits half of the time", () => {
    const ids = new Set<string>();
    const ones = new Uint32Array(256);
    for (let count = 0; count < SAMPLE; count++) {
      const id = createId();
      ids.add(id);
      const bytes = Uint8Array.fromBase64(id, { alphabet: "base64url" });
      for (let bit = 0; bit < 256; bit++) {
        ones[bit] = (ones[bit] ?? 0) + (((bytes[bit >> 3] ?? 0) >> (bit & 7)) & 1);
      }
    }
    expect(ids.size).toBe(SAMPLE);
    // Six standard deviations: a fair generator fails this once in two million runs.
    const tolerance = (6 * 0.5) / Math.sqrt(SAMPLE);
    const unfair = [...ones].filter((count) => Math.abs(count / SAMPLE - 0.5) > tolerance);
    expect(unfair).toEqual([]);
  });

  test("I2: returns 43 base64url characters without meaning: two ids agree no more than by chance", () => {
    const ids = Array.from({ length: 1000 }, createId);
    expect(ids.filter((id) => !/^[A-Za-z0-9_-]{43}$/.test(id))).toEqual([]);
    const positions = Array.from({ length: 43 }, (_, index) => new Set(ids.map((id) => id[index])));
    // Of 64 letters, 1,000 draws show all but very few; the last place has 16.
    expect(positions.slice(0, 42).every((letters) => letters.size > 55)).toBe(true);
    expect(positions.at(-1)?.size).toBe(16);
  });
});

describe("isId", () => {
  test("accepts what createId() returns", () => {
    expect(Array.from({ length: 1000 }, createId).every(isId)).toBe(true);
  });

  test("I4: accepts one spelling of an id only: the unused bits of the last character must be 0", () => {
    const id = `${createId().slice(0, 42)}A`;
    const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    const accepted = [...letters].filter((letter) => isId(id.slice(0, 42) + letter));
    expect(accepted.join("")).toBe("AEIMQUYcgkosw048");
  });

  test.each([
    ["the empty string", ""],
    ["42 characters", "A".repeat(42)],
    ["44 characters", "A".repeat(44)],
    ["a line break at the end", `${"A".repeat(43)}\n`],
    ["padding", `${"A".repeat(43)}=`],
    ["base64's own alphabet", `${"A".repeat(41)}+A`],
    ["a NUL", `${"A".repeat(42)}\0`],
    ["a path", "../../etc/passwd"],
    ["what every object has", "__proto__"],
    ["16 KB", "A".repeat(16_384)],
    ["quotes", `"${"A".repeat(43)}"`],
  ])("I4: refuses %s", (_, value) => {
    expect(isId(value)).toBe(false);
  });
});

describe("hashId", () => {
  test("I7: returns the SHA-256 hash, which does not reveal the id", () => {
    const hash = new Bun.CryptoHasher("sha256").update("an id").digest("base64url");
    expect(hashId("an id")).toBe(hash);
  });
});
