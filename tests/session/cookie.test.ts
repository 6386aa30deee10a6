import { describe, expect, test } from "bun:test";

import type { CookieOptions } from "../../src/session/cookie.ts";
import { SessionCookie } from "../../src/session/cookie.ts";

const ID = "A".repeat(43);

/** Options as they come from a program without types. */
function make(options: object): SessionCookie {
  return new SessionCookie(options as CookieOptions);
}

function readAttributes(line: string): string[] {
  return line.split("; ").slice(1).toSorted();
}

describe("SessionCookie.issue", () => {
  test("C1: is HttpOnly, Secure, SameSite=Lax and Path=/, and ends with the browser", () => {
    const line = new SessionCookie().issue(ID);
    expect(line.split("; ")[0]).toBe(`session_id=${ID}`);
    expect(readAttributes(line)).toEqual(["HttpOnly", "Path=/", "SameSite=Lax", "Secure"]);
  });

  test("C1: treats an undefined option like an absent one", () => {
    const names = ["name", "path", "domain", "secure", "sameSite", "partitioned"];
    const line = make(Object.fromEntries(names.map((name) => [name, undefined]))).issue(ID);
    expect(line).toBe(new SessionCookie().issue(ID));
  });

  test("C1: cannot be made without HttpOnly", () => {
    expect(() => make({ httpOnly: false })).toThrow("has no option `httpOnly`");
  });

  test("carries every option, and outlives the browser if it has a maxAge", () => {
    const options = { path: "/shop", domain: "example.com", sameSite: "none" } as const;
    const cookie = new SessionCookie({ ...options, name: "__Secure-sid", partitioned: true });
    expect(cookie.issue(ID, 60).split("; ", 1)).toEqual([`__Secure-sid=${ID}`]);
    expect(readAttributes(cookie.issue(ID, 60)).join("; ")).toBe(
      "Domain=example.com; HttpOnly; Max-Age=60; Partitioned; Path=/shop; SameSite=None; Secure",
    );
  });

  test("is sent over plain HTTP if `secure` is false", () => {
    expect(readAttributes(new SessionCookie({ secure: false }).issue(ID))).not.toContain("Secure");
  });
});

describe("SessionCookie.clear", () => {
  test.each<CookieOptions>([
    {},
    { path: "/shop", domain: "example.com", sameSite: "strict" },
    { name: "__Host-sid", sameSite: "none", partitioned: true },
    { secure: false },
  ])("C9: repeats the attributes, with an empty value and Max-Age=0: %j", (options) => {
    const cookie = new SessionCookie(options);
    const line = cookie.clear();
    expect(line.startsWith(`${cookie.name}=; `)).toBe(true);
    expect(readAttributes(line)).toEqual(
      [...readAttributes(cookie.issue(ID)), "Max-Age=0"].toSorted(),
    );
  });
});

describe("new SessionCookie", () => {
  test.each<[CookieOptions, string]>([
    [{ name: "__Host-sid", domain: "example.com" }, "cannot have a domain"],
    [{ name: "__Host-sid", secure: false }, "has to be secure"],
    [{ name: "__Host-sid", path: "/shop" }, 'has to have the path "/"'],
    [{ name: "__hOsT-sid", path: "/shop" }, 'has to have the path "/"'],
    [{ name: "__Secure-sid", secure: false }, "has to be secure"],
    [{ name: "__sECURE-sid", secure: false }, "has to be secure"],
    [{ sameSite: "none", secure: false }, 'sameSite "none" has to be secure'],
    [{ partitioned: true, secure: false }, "partitioned cookie has to be secure"],
  ])("C2: refuses %j, and says what to do: %s", (options, message) => {
    expect(() => new SessionCookie(options)).toThrow(TypeError);
    expect(() => new SessionCookie(options)).toThrow(message);
    expect(() => new SessionCookie(options)).toThrow("Leave out");
  });

  test.each<CookieOptions>([
    { name: "__Host-sid" },
    { name: "__Host-sid", path: "/" },
    { name: "__Secure-sid", domain: "example.com", path: "/shop" },
  ])("C2: accepts %j", (options) => {
    expect(new SessionCookie(options).issue(ID)).toContain("Secure");
  });

  test.each([
    [{ name: "" }, "name"],
    [{ name: "a b" }, "name"],
    [{ path: "" }, "path"],
    [{ path: "shop" }, "path"],
    [{ path: 1 }, "path"],
    [{ domain: "" }, "domain"],
    [{ domain: ".example.com" }, "domain"],
    [{ domain: "example..com" }, "domain"],
    [{ domain: "https://example.com" }, "domain"],
    [{ sameSite: "Lax" }, "sameSite"],
    [{ sameSite: true }, "sameSite"],
  ])("C6: refuses %j, and names the option: %s", (options, name) => {
    expect(() => make(options)).toThrow(TypeError);
    expect(() => make(options)).toThrow(`The cookie's ${name}`);
  });

  test.each([
    ["name", (character: string) => `a${character}b`],
    ["path", (character: string) => `/a${character}b`],
    ["domain", (character: string) => `a${character}b.example`],
    ["sameSite", (character: string) => `lax${character}`],
  ] as const)("C6: refuses each character in `%s`, or sends it unchanged", (field, valueWith) => {
    const accepted: string[] = [];
    for (let code = 0; code < 256; code++) {
      const value = valueWith(String.fromCharCode(code));
      let cookie: SessionCookie;
      try {
        cookie = make({ [field]: value });
      } catch (error) {
        expect(error).toBeInstanceOf(TypeError);
        continue;
      }
      accepted.push(value);
      expect(Bun.Cookie.parse(cookie.issue(ID))[field]).toBe(value);
      expect(cookie.issue(ID).split("; ")).toHaveLength(field === "domain" ? 6 : 5);
      if (field === "name") expect(cookie.read(`${value}=${ID}`)).toBe(ID);
    }
    // Letters are fine anywhere, but sameSite is one of three words.
    expect(accepted.length > 0).toBe(field !== "sameSite");
    expect(accepted.every((value) => !/[\s;,"]/.test(value) || field === "path")).toBe(true);
  });
});

describe("SessionCookie.read", () => {
  const cookie = new SessionCookie();

  test.each([
    ["alone", "session_id=x", "x"],
    ["at the beginning", "session_id=x; a=1", "x"],
    ["in the middle", "a=1; session_id=x; b=2", "x"],
    ["at the end", "a=1; session_id=x", "x"],
    ["without spaces", "a=1;session_id=x;b=2", "x"],
    ["among spaces and tabs", "a=1; \t session_id= \tx\t ;b=2", "x"],
    ["with an empty value", "session_id=; a=1", ""],
    ["with = in its value", "session_id=x=y", "x=y"],
    ["in quotes, which belong to the value", 'session_id="x"', '"x"'],
    ["after a pair without a name", "=1; session_id=x", "x"],
    ["after a name without a value", "session_id; session_id=x", "x"],
    ["after a value that looks like it", "a=session_id=y; session_id=x", "x"],
  ])("C10: finds the cookie %s", (_, header, expected) => {
    expect(cookie.read(header)).toBe(expected);
  });

  test.each([
    ["an empty header", ""],
    ["other cookies", "a=1; b=2"],
    ["a name in another case", "Session_id=x; SESSION_ID=x"],
    ["a longer name", "session_id2=x; my_session_id=x; __Host-session_id=x"],
    ["a name after a space, which is part of the name", "a session_id=x"],
    ["a percent-encoded name", "session%5Fid=x; %73ession_id=x"],
    ["the name as a value", "a=session_id=x"],
    ["the name without a value", "session_id; a=1"],
    ["the name after a nameless =", "=session_id=x"],
    ["a comma before it", "a=1,session_id=x"],
    ["a quoted semicolon's remains", 'a="1 session_id=x"'],
  ])("C10: does not find it in %s", (_, header) => {
    expect(cookie.read(header)).toBeUndefined();
  });

  const blanks = [0x0b, 0x0c, 0x0d, 0x0a, 0x85, 0xa0, 0x1680, 0x2000, 0x2003, 0x200a, 0x2028];
  const names = [...blanks, 0x2029, 0x202f, 0x205f, 0x3000, 0xfeff, 0x00].map((code) => [
    `U+${code.toString(16).padStart(4, "0")}`,
    String.fromCharCode(code),
  ]);

  test.each(names)("C10: %s beside the name makes it another name", (_, blank) => {
    expect(cookie.read(`a=1; ${blank}session_id=evil; session_id=x`)).toBe("x");
    expect(cookie.read(`session_id${blank}=evil`)).toBeUndefined();
    expect(cookie.read(`session_id=x${blank}`)).toBe(`x${blank}`);
  });

  test.each([
    ["session_id=x; session_id=y", ["x", "y"]],
    ["session_id=;session_id=x", ["", "x"]],
    ["session_id=x; a=1; session_id=x", "x"],
    ["session_id=a; session_id=b; session_id=c; session_id=a; session_id=d", ["a", "b", "c", "d"]],
    ["session_id=1; session_id=2; session_id=3; session_id=4; session_id=5", ["1", "2", "3", "4"]],
  ])("B5: returns up to four different values of a repeated cookie: %s", (header, values) => {
    expect(cookie.read(header)).toEqual(values);
  });

  test("reads a cookie whose name has characters that are special in patterns", () => {
    const odd = new SessionCookie({ name: "a.b*$" });
    expect(odd.read("aXb*$=no; a.b*$=x")).toBe("x");
  });
});
