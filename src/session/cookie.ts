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
const SAME_SITE = new Set<unknown>(["strict", "lax", "none"]);

/** The session's cookie: reads it from a request, and writes the `Set-Cookie` lines for it. */
export class SessionCookie {
  readonly name: string;
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
    const scope = domain === undefined ? {} : { domain };
    const attributes = { path, secure, sameSite, partitioned, ...scope };
    check(name, attributes);
    this.name = name;
    this.#prefix = `${name}=`;
    this.#attributes = attributes;
  }

  /**
   * The cookie's value in a `Cookie` header: `undefined` when it is not there, and the empty string,
   * which is nobody's id, when it is there twice. Then one of them was not set by us, and nothing
   * in the header tells which.
   *
   * Written by hand because it runs on every request: for a header of one cookie `Bun.CookieMap` takes
   * 0.22 µs, this takes 0.08, and it says when a name is doubled.
   */
  read(header: string): string | undefined {
    let found: string | undefined;
    let at = header.indexOf(this.#prefix);
    while (at !== -1) {
      const start = at + this.#prefix.length;
      const semicolon = header.indexOf(";", start);
      const end = semicolon === -1 ? header.length : semicolon;
      if (startsPair(header, at)) {
        if (found !== undefined) return "";
        found = trimBlanks(header.slice(start, end));
      }
      at = header.indexOf(this.#prefix, end);
    }
    return found;
  }

  /** The `Set-Cookie` line that hands out an id; with `maxAge`, in seconds, it outlives the browser. */
  issue(id: string, maxAge?: number): string {
    return this.#line(id, maxAge);
  }

  /** The `Set-Cookie` line that removes the cookie, with the attributes that it was set with. */
  clear(): string {
    return this.#line("", 0);
  }

  #line(value: string, maxAge: number | undefined): string {
    const lifetime = maxAge === undefined ? {} : { maxAge };
    const attributes = { ...this.#attributes, ...lifetime, httpOnly: true };
    return new Bun.Cookie(this.name, value, attributes).serialize();
  }
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

function trimBlanks(value: string): string {
  let start = 0;
  let end = value.length;
  while (start < end && isBlank(value.charCodeAt(start))) start++;
  while (end > start && isBlank(value.charCodeAt(end - 1))) end--;
  return value.slice(start, end);
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
  // RFC 6265bis, 4.1.3: browsers compare both prefixes without regard to case.
  const lowered = name.toLowerCase();
  const host = lowered.startsWith("__host-");
  refuse(
    (host || lowered.startsWith("__secure-")) && !secure,
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
