import { describe, expect, test } from "bun:test";
import { join } from "node:path";

import { escapeControls, escapeError } from "../../src/session/log.ts";

const SRC = join(import.meta.dir, "../../src");

describe("escapeControls", () => {
  test.each([
    ["a line break", "a\r\nb", "a\\u{d}\\u{a}b"],
    ["an escape sequence", "\x1b[31m", "\\u{1b}[31m"],
    ["NUL and DEL", "\0\x7f", "\\u{0}\\u{7f}"],
    ["an eight-bit escape sequence", "\x9b31m", "\\u{9b}31m"],
    ["what reverses a line", "\u202e", "\\u{202e}"],
    ["a line separator", "\u2028\u2029", "\\u{2028}\\u{2029}"],
    ["an invisible tag", "\u{e0041}", "\\u{e0041}"],
  ])("escapes %s", (_, text, escaped) => {
    expect(escapeControls(text)).toBe(escaped);
  });

  test("leaves everything else unchanged", () => {
    const text = "/Grüße/%c3%a9?a=b \\ \"' 日本語 🙂";
    expect(escapeControls(text)).toBe(text);
  });
});

describe("what src writes to the console", () => {
  test("begins with a text wherever there are several arguments, because the first is a format", async () => {
    const files = await Array.fromAsync(new Bun.Glob("**/*.ts").scan(SRC));
    const sources = await Promise.all(files.map((file) => Bun.file(join(SRC, file)).text()));
    const calls = sources.join("\n").match(/console\.(?:error|info|warn)\([^;]*;/g) ?? [];
    expect(calls.length).toBeGreaterThan(5);
    // Text that is put together, by `${}` or by "+", may hold anything.
    const isUnsafe = /^console\.\w+\(\s*(?:[^"'\s]|"[^"]*"\s*\+\s*[^"'\s])[^;]*,\s*[^)\s]/;
    expect(calls.filter((call) => isUnsafe.test(call))).toEqual([]);
  });
});

describe("escapeError", () => {
  test("returns an error without control characters unchanged, for the console to show", () => {
    const error = new Error("two\n\tlines", { cause: new Error("ü") });
    expect(escapeError(error)).toBe(error);
    expect(escapeError(undefined)).toBeUndefined();
  });

  test.each([
    ["the message", (text: string) => new Error(text)],
    ["a cause", (text: string) => new Error("outer", { cause: new Error(text) })],
    ["a property", (text: string) => Object.assign(new Error("outer"), { said: text })],
    ["a text that was thrown", (text: string) => text],
  ])("escapes %s", (_, make) => {
    const escaped = String(escapeError(make("\u{1b}]0;title\u{7}")));
    expect(escaped).not.toMatch(/[^\P{Cc}\n\t]/u);
  });
});
