import { describe, expect, test } from "bun:test";
import { join } from "node:path";

import * as fc from "fast-check";

import { toSafeFilename } from "../../src/app/filename.ts";

describe("toSafeFilename", () => {
  test.each([
    ["photo.jpeg", "photo.jpeg"],
    ["日本 Grüße.txt", "日本 Grüße.txt"],
    ["C:\\fakepath\\photo.jpeg", "photo.jpeg"],
    ["../../etc/passwd", "passwd"],
    ["..\\..\\passwd", "passwd"],
    ["/etc/", "file"],
    ["..", "file"],
    [".", "file"],
    ["", "file"],
    [" .. ", "file"],
    [".htaccess", "htaccess"],
    ["name. ", "name"],
    ["a\0b\r\nc\x7f.txt", "abc.txt"],
    ["photo\u202Egpj.exe", "photogpj.exe"],
    ['<a href="x">:|?*', "a href=x"],
    ["\ud800.txt", "\ufffd.txt"],
    ["CON", "_CON"],
    ["nul.txt", "_nul.txt"],
    ["con:", "_con"],
    ["console.txt", "console.txt"],
    [`${"é".repeat(300)}.jpeg`, `${"é".repeat(97)}.jpeg`],
    [`a.${"b".repeat(300)}`, `a.${"b".repeat(198)}`],
    ["a".repeat(300), "a".repeat(200)],
    ["😀".repeat(60), "😀".repeat(50)],
    ["é".repeat(101), "é".repeat(100)],
    [`a${"😀".repeat(60)}`, `a${"😀".repeat(49)}`],
    [`${"😀".repeat(60)}.😀`, `${"😀".repeat(48)}.😀`],
    [`${"a".repeat(199)}...${"b".repeat(50)}`, "a".repeat(199)],
  ])("turns %j into %j", (filename, safe) => {
    expect(toSafeFilename(filename)).toBe(safe);
  });

  test("returns a name that stays in its folder, whatever the input", () => {
    const pieces = fc.constantFrom(
      ..."/\\.\0: aé\ud800\u202e",
      "%2e",
      "con",
      "x".repeat(150),
      "😀".repeat(30),
    );
    const names = fc.array(pieces).map((all) => all.join(""));
    fc.assert(
      fc.property(names, (name) => {
        const safe = toSafeFilename(name);
        expect(join("/uploads", safe)).toBe(`/uploads/${safe}`);
        expect(safe).not.toMatch(/^\.|[/\\\0]|[. ]$/);
        expect(Buffer.byteLength(safe)).toBeWithin(1, 201);
        expect(safe.isWellFormed()).toBe(true);
        expect(toSafeFilename(safe)).toBe(safe);
      }),
      { numRuns: 300 },
    );
  });
});
