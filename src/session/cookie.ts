import { refuseUnknown } from "../store/known-options.ts";

/** How the session's cookie is set. It is always `HttpOnly`: scripts have no business with it. */
export interface CookieOptions {
  /** `session_id` by default. A name that begins with `__Host-` or `__Secure-` is held to its rules. */
  readonly name?: string;
  /** Below which path the cookie is sent; `/` by default. */
  readonly path?: string;
  /** Sends the cookie to this domain's subdomains as well. By default only this host gets it. */
  readonly domain?: string;
  /** Only over HTTPS, and on `http://localhost`; `true` by default. */
  readonly secure?: boolean;
  /** Whether requests that other sites cause carry the cookie; `lax` by default. */
  readonly sameSite?: "strict" | "lax" | "none";
  /** Keeps a cookie of its own per embedding site (CHIPS); `false` by default. */
  readonly partitioned?: boolean;
}

// RFC 6265bis, 4.1.1: a cookie's name is a token.
const TOKEN = /^[A-Za-z0-9!#$%&'*+\-.^_`|~]+$/;
// Bun.Cookie refuses "<" in a path and capitals in a domain, but only when a cookie is sent.
const PATH = /^\/[\x21-\x3a\x3d-\x7e]*$/;
const DOMAIN = /^(?!-)[a-z0-9-]{1,63}(?:\.[a-z0-9-]{1,63})*$/;
/** So many different values of one name are looked at. */
const MOST_VALUES = 4;
const OPTIONS = ["name", "path", "domain", "secure", "sameSite", "partitioned"];
const SAME_SITE = new Set<unknown>(["strict", "lax", "none"]);

/** The session's cookie: reads it from a request, and writes the `Set-Cookie` lines for it. */
export class SessionCookie {
  readonly name: string;
  readonly sameSite: "strict" | "lax" | "none";
  readonly #prefix: string;
  readonly #attributes: Required<Omit<CookieOptions, "name" | "domain">> & { domain?: string };

  /** @throws TypeError for options that a browser would ignore or refuse, with the remedy. */
  constructor(options: CookieOptions = {}) {
    // A default each: an option that a program passes on as `undefined` was left out too.
    const {
      name = "session_id",
      path = "/",
      domain,
      secure = true,
      sameSite = "lax",
      partitioned = false,
    } = options;
    refuseUnknown("The cookie", options, OPTIONS);
    const scope = domain === undefined ? {} : { domain };
    const attributes = { path, secure, sameSite, partitioned, ...scope };
    check(name, attributes);
    this.name = name;
    this.sameSite = sameSite;
    this.#prefix = `${name}=`;
    this.#attributes = attributes;
  }

  /**
   * The cookie's value in a `Cookie` header, or its values: up to four different ones, where the header
   * has several cookies of the name. One that was set for another `Path` or `Domain`, or planted by a
   * sibling subdomain, looks the same as ours.
   *
   * Written by hand because it runs on every request: for a header of one cookie `Bun.CookieMap` takes
   * 0.22 µs, this takes 0.08, and it says when a name is doubled.
   */
  read(header: string): string | readonly string[] | undefined {
    const start = this.#findValue(header, 0);
    if (start === -1) return undefined;
    const end = endOfPair(header, start);
    const value = trimBlanks(header, start, end);
    return end === header.length ? value : this.#readOthers(header, end, value);
  }

  /** The `Set-Cookie` line that hands out an id; with `maxAge`, in seconds, it outlives the browser. */
  issue(id: string, maxAge?: number): string {
    return this.#line(id, maxAge);
  }

  /** The `Set-Cookie` line that removes the cookie, with the attributes that it was set with. */
  clear(): string {
    return this.#line("", 0);
  }

  #readOthers(header: string, from: number, first: string): string | readonly string[] {
    let start = this.#findValue(header, from);
    if (start === -1) return first;
    const values = new Set([first]);
    while (start !== -1 && values.size < MOST_VALUES) {
      const end = endOfPair(header, start);
      values.add(trimBlanks(header, start, end));
      start = this.#findValue(header, end);
    }
    return values.size === 1 ? first : [...values];
  }

  /** Where the next value of the name begins; -1 where there is none. */
  #findValue(header: string, from: number): number {
    let at = header.indexOf(this.#prefix, from);
    while (at !== -1 && !startsPair(header, at)) {
      at = header.indexOf(this.#prefix, at + this.#prefix.length);
    }
    return at === -1 ? -1 : at + this.#prefix.length;
  }

  #line(value: string, maxAge: number | undefined): string {
    const lifetime = maxAge === undefined ? {} : { maxAge };
    const attributes = { ...this.#attributes, ...lifetime, httpOnly: true };
    return new Bun.Cookie(this.name, value, attributes).serialize();
  }
}

function endOfPair(header: string, start: number): number {
  const semicolon = header.indexOf(";", start);
  return semicolon === -1 ? header.length : semicolon;
}

/** Whether a pair begins at `at`: at the start, or behind a semicolon and blanks, and nothing else. */
function startsPair(header: string, at: number): boolean {
  let before = at - 1;
  while (before >= 0 && isBlank(header.charCodeAt(before))) before--;
  return before < 0 || header[before] === ";";
}

/** RFC 6265bis, 5.6 trims spaces and tabs only. To trim more would let one name pass for another. */
function isBlank(code: number): boolean {
  return code === 0x20 || code === 0x09;
}

function trimBlanks(header: string, from: number, to: number): string {
  let start = from;
  let end = to;
  while (start < end && isBlank(header.charCodeAt(start))) start++;
  while (end > start && isBlank(header.charCodeAt(end - 1))) end--;
  return header.slice(start, end);
}

function check(name: string, cookie: Omit<CookieOptions, "name">): void {
  const { path, domain, secure, sameSite, partitioned } = cookie;
  refuse(
    !TOKEN.test(name),
    `The cookie's name ${quote(name)} has to be letters, digits or any of !#$%&'*+-.^_\`|~.`,
  );
  refuse(
    typeof path !== "string" || !PATH.test(path),
    `The cookie's path ${quote(path)} has to begin with "/" and hold no space, ";", "<" or control character.`,
  );
  refuse(
    domain !== undefined && !DOMAIN.test(domain),
    `The cookie's domain ${quote(domain)} has to be a plain host name in lower case such as "example.com", without a leading dot.`,
  );
  refuse(
    !SAME_SITE.has(sameSite),
    `The cookie's sameSite ${quote(sameSite)} has to be "strict", "lax" or "none".`,
  );
  refuse(
    sameSite === "none" && !secure,
    'A cookie with sameSite "none" has to be secure: browsers refuse it otherwise. Leave out `secure: false`.',
  );
  refuse(
    partitioned === true && !secure,
    "A partitioned cookie has to be secure: browsers refuse it otherwise. Leave out `secure: false`.",
  );
  refuse(
    partitioned === true && sameSite !== "none",
    'A partitioned cookie has to have sameSite "none": embedded in another site it would never be sent. Add `sameSite: "none"`, or leave out `partitioned`.',
  );
  // RFC 6265bis, 4.1.3: browsers compare both prefixes without regard to case.
  const lowered = name.toLowerCase();
  // `__Http-` and `__Host-Http-` also ask for HttpOnly, which the cookie always is.
  const host = lowered.startsWith("__host-");
  const isPrefixed = host || lowered.startsWith("__secure-") || lowered.startsWith("__http-");
  refuse(
    isPrefixed && !secure,
    `The cookie ${name} has to be secure, as its prefix says. Leave out \`secure: false\`, or the prefix.`,
  );
  refuse(
    host && domain !== undefined,
    `The cookie ${name} cannot have a domain: \`__Host-\` binds it to one host. Leave out \`domain\`, or use \`__Secure-\`.`,
  );
  refuse(
    host && path !== "/",
    `The cookie ${name} has to have the path "/", as its prefix says. Leave out \`path\`, or use \`__Secure-\`.`,
  );
}

function refuse(wrong: boolean, message: string): void {
  if (wrong) throw new TypeError(message);
}

function quote(value: unknown): string {
  return typeof value === "string" ? JSON.stringify(value) : String(value);
}
