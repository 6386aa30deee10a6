import { postgres } from "../support/servers/postgres.ts";
import { hasRedisServer } from "../support/servers/redis-server.ts";
import { redis } from "../support/servers/redis.ts";
import { POSTGRES_FAULTS } from "./seeded-faults-postgres.ts";
import { REDIS_FAULTS } from "./seeded-faults-redis.ts";

/** A mistake that somebody could make in good faith, and the test that would tell them. */
export interface SeededFault {
  /**
   * What it breaks: a rule, a figure, or something that was seen elsewhere. Unless told, what its test
   * claims to hold.
   */
  readonly rule?: string;
  /** The mistake, as a sentence. */
  readonly what: string;
  /** Where it is made: a file, what stands there once, and what would stand there in its place. */
  readonly file: string;
  readonly find: string;
  readonly replace: string;
  /** The test's file. */
  readonly in: string;
  /** The test's name; with its block's before it, as in Bun's report, where it says too little alone. */
  readonly test: string;
}

/** A mistake, with what it breaks. */
export type Fault = Required<SeededFault>;

/** The mistakes: at least one for each rule, and one for each failure that was seen elsewhere. */
const SEEDED: readonly SeededFault[] = [
  // Identifiers.
  {
    what: "Half of an id's bytes are never filled.",
    file: "src/session/id.ts",
    find: `  return crypto
    .getRandomValues(new Uint8Array(ID_BYTES))
    .toBase64({ alphabet: "base64url", omitPadding: true });`,
    replace: `  const id = new Uint8Array(ID_BYTES);
  crypto.getRandomValues(id.subarray(0, 16));
  return id.toBase64({ alphabet: "base64url", omitPadding: true });`,
    in: "tests/session/id.test.ts",
    test: "I1: never gives the same id twice, and sets every one of its 256 bits half of the time",
  },
  {
    what: "An id begins with the time, so that rows lie in order.",
    file: "src/session/id.ts",
    find: `  return crypto
    .getRandomValues(new Uint8Array(ID_BYTES))
    .toBase64({ alphabet: "base64url", omitPadding: true });`,
    replace: `  const id = crypto.getRandomValues(new Uint8Array(ID_BYTES));
  new DataView(id.buffer).setBigUint64(0, BigInt(Date.now()));
  return id.toBase64({ alphabet: "base64url", omitPadding: true });`,
    in: "tests/session/id.test.ts",
    test: "I2: gives 43 base64url characters without any meaning: two ids share no more than chance",
  },
  {
    what: "To destroy a session in memory empties it, and its id goes on.",
    file: "src/backends/memory/backend.ts",
    find: `    this.#remove(entry);
    this.#ends.tell([id]);
    return isNote(entry.content) ? entry.content.supersededBy : undefined;`,
    replace: `    if (isNote(entry.content)) return entry.content.supersededBy;
    this.#put(entry, entry.content, { ...entry.content, data: "{}", flash: null });
    return undefined;`,
    in: "tests/session/manager.test.ts",
    test: "I3: an id that was ended is not adopted, on InMemorySessionBackend",
  },
  {
    what: "An id may end with any letter, so that four texts are one id.",
    file: "src/session/id.ts",
    find: `/^[A-Za-z0-9_-]{42}[AEIMQUYcgkosw048]$/`,
    replace: `/^[A-Za-z0-9_-]{43}$/`,
    in: "tests/session/id.test.ts",
    test: "I4: takes one spelling of an id only: the last character's unused bits have to be 0",
  },
  {
    what: "Of two cookies of one name, the first is taken.",
    file: "src/session/cookie.ts",
    find: `    return end === header.length ? value : this.#readOthers(header, end, value);`,
    replace: `    return value;`,
    in: "tests/session/visits.test.ts",
    test: "several cookies of one name, on InMemorySessionBackend > B5: the one that opens a session counts, wherever it stands",
  },
  {
    what: "An id in the query counts where there is no cookie.",
    file: "src/session/manager.ts",
    find: `    const value = header === null ? undefined : this.cookie.read(header);`,
    replace: `    const value =
      (header === null ? undefined : this.cookie.read(header)) ??
      new URL(request.url).searchParams.get(this.cookie.name) ??
      undefined;`,
    in: "tests/session/manager.test.ts",
    test: "I5: an id anywhere but in the cookie is ignored",
  },
  {
    what: "The log of a failed request has its headers.",
    file: "src/app/app.ts",
    find: `failed:", page, escapeError(error));`,
    replace: `failed:", page, escapeError(error), request.headers);`,
    in: "tests/app/app.test.ts",
    test: "I7: tells neither the log nor the visitor the cookie",
  },
  {
    what: "An event carries the id, for whoever looks into it.",
    file: "src/session/writer.ts",
    find: `      this.#events.emit({ type: "created", handle: key, userId });`,
    replace: `      this.#events.emit({ type: "created", handle: id, userId });`,
    in: "tests/session/manager.test.ts",
    test: "I7: what is stored, reported and answered holds no id, and a stored hash opens nothing",
  },
  {
    what: "A new row takes the place of one with the same id, on SQLite.",
    file: "src/backends/sqlite/statements.ts",
    find: `        setWhere: lte(sessions.expiresAt, value("now")),
`,
    replace: ``,
    in: "tests/session/manager.test.ts",
    test: "I8: with a generator that repeats itself, nobody's session is opened: SqliteSessionBackend",
  },

  // The cookie.
  {
    what: "The cookie is Secure in production only.",
    file: "src/session/cookie.ts",
    find: `      secure = true,`,
    replace: `      secure = process.env["NODE_ENV"] === "production",`,
    in: "tests/session/cookie.test.ts",
    test: "C1: is HttpOnly, Secure, SameSite=Lax and Path=/, and ends with the browser",
  },
  {
    what: "HttpOnly is left to Bun, whose cookies do not have it by default.",
    file: "src/session/cookie.ts",
    find: `    const attributes = { ...this.#attributes, ...lifetime, httpOnly: true };`,
    replace: `    const attributes = { ...this.#attributes, ...lifetime };`,
    in: "tests/session/cookie.test.ts",
    test: "C1: is HttpOnly, Secure, SameSite=Lax and Path=/, and ends with the browser",
  },
  {
    what: "A prefix counts only in the letters that its standard has.",
    file: "src/session/cookie.ts",
    find: `  const host = lowered.startsWith("__host-");`,
    replace: `  const host = name.startsWith("__Host-");`,
    in: "tests/session/cookie.test.ts",
    test: 'C2: refuses {"name":"__hOsT-sid","path":"/shop"}, and says what to do: has to have the path "/"',
  },
  {
    what: "A path may hold whatever is no semicolon.",
    file: "src/session/cookie.ts",
    find: String.raw`/^\/[\x21-\x3a\x3d-\x7e]*$/`,
    replace: String.raw`/^\/[^;]*$/`,
    in: "tests/session/cookie.test.ts",
    test: "C6: refuses a character in `path`, or sends it as it is",
  },
  {
    what: "The session's cookie is set beside one of that name which the app has set.",
    file: "src/http/headers.ts",
    find: `  const others = headers.getSetCookie().filter((line) => !line.startsWith(\`\${cookieName}=\`));`,
    replace: `  const others = headers.getSetCookie();`,
    in: "tests/app/app.test.ts",
    test: "C7: of the session's name is the session's own",
  },
  {
    what: "Cookies of the app's own are joined into one line.",
    file: "src/http/headers.ts",
    find: `  for (const line of others) headers.append("set-cookie", line);`,
    replace: `  if (others.length > 0) headers.set("set-cookie", others.join(", "));`,
    in: "tests/http/headers.test.ts",
    test: "C7: leaves the app's own cookies, each on a line of its own, and replaces only its own",
  },
  {
    what: "The cookie is cleared by its name and path alone.",
    file: "src/session/cookie.ts",
    find: `    return this.#line("", 0);`,
    replace: `    return \`\${this.name}=; Path=/; Max-Age=0\`;`,
    in: "tests/session/cookie.test.ts",
    test: 'C9: repeats the attributes, with an empty value and Max-Age=0: {"path":"/shop","domain":"example.com","sameSite":"strict"}',
  },
  {
    what: "Cookies may stand behind a comma, as they once could.",
    file: "src/session/cookie.ts",
    find: `  return before < 0 || header[before] === ";";`,
    replace: `  return before < 0 || header[before] === ";" || header[before] === ",";`,
    in: "tests/session/cookie.test.ts",
    test: "C10: does not find it in a comma before it",
  },
  {
    what: "The cookie of a remembered session is sent with every page.",
    file: "src/session/manager.ts",
    find: `return remember !== null && before !== place && touchedAt !== arrived.record.touchedAt;`,
    replace: `return remember !== null && touchedAt > 0;`,
    in: "tests/session/manager.test.ts",
    test: "C15: the cookie is sent again when the session is touched, and only then",
  },

  // The life of a session.
  {
    what: "The former row stays beside the one with the new id, in memory.",
    file: "src/backends/memory/backend.ts",
    find: `    this.#remove(entry);
    const note = { supersededBy: newId, expiresAt: this.now() + NOTE_LIFETIME };
    this.#add(new Entry(oldId, note), countBytes(oldId, note));
`,
    replace: ``,
    in: "tests/session/manager.test.ts",
    test: "L1: login() changes the id, keeps the data, and the old id is dead in every process",
  },
  {
    what: "The former row stays beside the one with the new id, on a backend of two methods.",
    file: "src/store/load-save-store.ts",
    find: `          return andThen(this.#erase(turn, oldId, note), () => true);`,
    replace: `          return note !== undefined;`,
    in: "tests/session/manager.test.ts",
    test: "the life of a session, on an asynchronous load and save > L1: login() changes the id, keeps the data, and the old id is dead in every process",
  },
  {
    what: "A login is stored first and renamed then.",
    file: "src/session/writer.ts",
    find: `    return andThen(this.#store.ask("rotate", key, newKey, record, current), (isDone) => {`,
    replace: `    const stored = this.#store.ask("replace", key, record, current);
    const next = { ...record, version: record.version + 1 };
    const moved = andThen(stored, () => this.#store.ask("rotate", key, newKey, next, record));
    return andThen(moved, (isDone) => {`,
    in: "tests/session/manager.test.ts",
    test: "L2: while login() runs, requests with the old id never see data from after it",
  },
  {
    what: "A session lives a millisecond longer than it should.",
    file: "src/session/lifetimes.ts",
    find: `      record.expiresAt <= now ||
      record.createdAt + this.#lifetime <= now ||
      record.touchedAt + this.#idleTimeout(record) <= now`,
    replace: `      record.expiresAt < now ||
      record.createdAt + this.#lifetime < now ||
      record.touchedAt + this.#idleTimeout(record) < now`,
    in: "tests/session/manager.test.ts",
    test: "L3: the idle timeout: alive at 8 h - 1 ms, dead at 8 h; using it restarts that",
  },
  {
    what: "A touch writes when the session was used, and not when it ends.",
    file: "src/backends/sqlite/statements.ts",
    find: `          touchedAt: sql\`\${value("now")}\`,
          expiresAt: sql\`\${value("expiresAt")}\`,
          version:`,
    replace: `          touchedAt: sql\`\${value("now")}\`,
          version:`,
    in: "tests/session/manager.test.ts",
    test: "L3: the idle timeout: alive at 8 h - 1 ms, dead at 8 h; using it restarts that",
  },
  {
    what: "A new id begins the absolute lifetime anew, with or without a login.",
    file: "src/session/writer.ts",
    find: `    if (login === undefined) return this.#lifetimes.restart(record, now);`,
    replace: `    if (login === undefined) return this.#lifetimes.restart({ ...record, createdAt: now }, now);`,
    in: "tests/session/manager.test.ts",
    test: "L4: login() restarts the absolute lifetime, regenerate() does not",
  },
  {
    what: "The absolute lifetime counts as it was when the session was stored.",
    file: "src/session/lifetimes.ts",
    find: `      record.createdAt + this.#lifetime <= now ||
`,
    replace: ``,
    in: "tests/session/manager.test.ts",
    test: "L4: a lifetime that was shortened holds for sessions that are there already",
  },
  {
    what: "A request that fails stores nothing, and so does not end its session either.",
    file: "src/session/manager.ts",
    find: `    if (life !== undefined) return`,
    replace: `    if (life !== undefined && status < 500) return`,
    in: "tests/integrations/scenarios.test.ts",
    test: "wrap in fetch, as a function > L6: a handler that throws after destroy() has ended the session",
  },
  {
    what: "A write that finds its session gone begins it anew.",
    file: "src/session/writer.ts",
    find: `    if (renewal?.kind !== "login" || isTheirs) return this.#drop(toEnded(from));`,
    replace: `    if (renewal === undefined) return this.#create(from, contents, undefined);
    if (renewal.kind !== "login" || isTheirs) return this.#drop(toEnded(from));`,
    in: "tests/session/manager-overlap.test.ts",
    test: "L6: a write that ends after destroy() does not bring the session back, and says so",
  },
  {
    what: "What a backend of two methods still has is taken for alive, destroyed or not.",
    file: "src/store/load-save-store.ts",
    find: `    if (this.#ended.has(id)) return this.#findNote(id);`,
    replace: ``,
    in: "tests/store/load-save-store.test.ts",
    test: "L6: keeps a destroyed session destroyed, even where something else saves it again",
  },
  {
    what: "Of a user's sessions in memory, a step of deleteAll() looks at the oldest alone.",
    file: "src/backends/memory/backend.ts",
    find: `      entry = newer;`,
    replace: `      entry = undefined;`,
    in: "tests/session/manager.test.ts",
    test: "L7: revokeAll() but for one ends those and no others, says how many, and tells of them once",
  },
  {
    what: "All of a user's rows are deleted, the one to be left alone with them.",
    file: "src/backends/sqlite/statements.ts",
    find: `.where(and(isUsers, isOther))`,
    replace: `.where(isUsers)`,
    in: "tests/session/manager.test.ts",
    test: "L7: revokeAll() but for one ends those and no others, says how many, and tells of them once",
  },
  {
    what: "What has expired is left to the sweeper.",
    file: "src/session/arrivals.ts",
    find: `    if (this.#lifetimes.isExpired(found, now)) {
      this.#events.emit({ type: "expired", handle: key });
      return { at: "lapsed", isId: true, key };
    }
`,
    replace: ``,
    in: "tests/session/manager.test.ts",
    test: "L9: an expired session is rejected with the sweeper off, and its row stays for the sweeper",
  },
  {
    what: "To destroy a session clears the cookie, whether there was one or not.",
    file: "src/session/manager.ts",
    find: `    return hasEnded && arrived.at !== "nowhere" ? this.cookie.clear() : undefined;`,
    replace: `    return hasEnded ? this.cookie.clear() : undefined;`,
    in: "tests/session/manager.test.ts",
    test: "L10: new, no data: nothing is stored and no cookie is set: destroy()",
  },

  // New ids, and requests with an earlier one.
  {
    what: "update() writes at once, and leaves the new id to the end of the request.",
    file: "src/session/manager.ts",
    find: `    await this.#carryOut(open, open.attemptRenewal(this.#useNow(open)));
`,
    replace: ``,
    in: "tests/session/renewal.test.ts",
    test: "what is written after a new id was asked for, on InMemorySessionBackend > B1, L2: update() after login() is never seen under the old id",
  },
  {
    what: "Before an update(), a login gets its new id, and a regenerate() does not.",
    file: "src/session/open-session.ts",
    find: `    if (place.at === "store" && renewal !== undefined) {`,
    replace: `    if (place.at === "store" && renewal?.kind === "login") {`,
    in: "tests/session/renewal.test.ts",
    test: "what is written after a new id was asked for, on InMemorySessionBackend > B1: update() after regenerate(), and the handler throws: the same",
  },
  {
    what: "A login whose session is gone begins another, also where the user's own was ended.",
    file: "src/session/writer.ts",
    find: `    if (renewal?.kind !== "login" || isTheirs) return`,
    replace: `    if (renewal?.kind !== "login") return`,
    in: "tests/session/renewal.test.ts",
    test: "login() by the user whose session it is, on InMemorySessionBackend > B2: one that is under way does not outlive revokeAll()",
  },
  {
    what: "A login that does not say `remember` or `label` takes them away.",
    file: "src/session/writer.ts",
    find: `    const { remember = former.remember, label = former.label, at } = login;`,
    replace: `    const { remember = null, label = null, at } = login;`,
    in: "tests/session/renewal.test.ts",
    test: "login() by the user whose session it is, on InMemorySessionBackend > B2: gives it a new id and a new time, and keeps `remember` and `label`",
  },
  {
    what: "A forwarding note is followed, and opens the session.",
    file: "src/session/arrivals.ts",
    find: `    const found = this.#store.ask("read", key);`,
    replace: `    let found = this.#store.ask("read", key);
    if (!isPromise(found) && found !== undefined && isNote(found)) {
      found = this.#store.ask("read", found.supersededBy);
    }`,
    in: "tests/session/forwarding.test.ts",
    test: "an id that a rotation has superseded, on InMemorySessionBackend > B3: opens nothing, and a request that writes through it gets no cookie",
  },
  {
    what: "A late write through a superseded id begins a session, as one without a cookie does.",
    file: "src/session/open-session.ts",
    find: `        return isEmpty(contents) ? { kind: "none" } : { kind: "drop", from: place };`,
    replace: `        return this.#attemptNew(place);`,
    in: "tests/session/forwarding.test.ts",
    test: "an id that a rotation has superseded, on InMemorySessionBackend > B3: opens nothing, and a request that writes through it gets no cookie",
  },
  {
    what: "A login through a superseded id takes over the session, whoever it belongs to.",
    file: "src/session/writer.ts",
    find: `      if (key !== swap.from.key && !this.#logsIn(swap, found.userId)) return this.#handleLost(swap);
`,
    replace: ``,
    in: "tests/session/forwarding.test.ts",
    test: "an id that a rotation has superseded, on InMemorySessionBackend > B3: a login() by another user begins a session of its own",
  },
  {
    what: "A login through a superseded id takes over a session that is nobody's.",
    file: "src/session/writer.ts",
    find: `      if (key !== swap.from.key && !this.#logsIn(swap, found.userId)) return this.#handleLost(swap);`,
    replace: `      const isOthers = found.userId !== null && !this.#logsIn(swap, found.userId);
      if (key !== swap.from.key && isOthers) return this.#handleLost(swap);`,
    in: "tests/session/forwarding.test.ts",
    test: "an id that a rotation has superseded, on InMemorySessionBackend > B3: nobody takes over a session that is nobody's: the id may be a thief's",
  },
  {
    what: "To end a session deletes what is under its id, and goes no further where that is a note.",
    file: "src/session/writer.ts",
    find: `      next === undefined || keys.includes(next) ? keys : this.#deleteChain([...keys, next]),`,
    replace: `      next === undefined ? keys : [...keys, next],`,
    in: "tests/session/forwarding.test.ts",
    test: "an id that a rotation has superseded, on InMemorySessionBackend > B3: destroy() through it ends the session, whatever id that has by now",
  },
  {
    what: "A forwarding note of a two-method backend never expires.",
    file: "src/store/load-save-store.ts",
    find: `    return note !== undefined && note.expiresAt > this.now() ? note : undefined;`,
    replace: `    return note;`,
    in: "tests/store/load-save-store.test.ts",
    test: "B3: keeps a note, and its id ended after that, even where something else saves it again",
  },
  {
    what: "A deleted note of a two-method backend leads nowhere.",
    file: "src/store/load-save-store.ts",
    find: `() => note?.supersededBy`,
    replace: `() => undefined`,
    in: "tests/session/forwarding.test.ts",
    test: "an id that a rotation has superseded, on a synchronous load and save > B3: destroy() through it ends the session, whatever id that has by now",
  },

  // Sessions that outlive their response.
  {
    what: "A write from a socket restarts the idle timeout by when its request began.",
    file: "src/session/manager.ts",
    find: `    return this.#isRenewing(open) ? { at: this.#settings.now(), restarts: "due" } : NO_USE;`,
    replace: `    return this.#isRenewing(open) ? { at: open.openedAt, restarts: "due" } : NO_USE;`,
    in: "tests/session/outliving.test.ts",
    test: "a session that outlives its response, on InMemorySessionBackend > B4: is kept alive by update(), by the present clock",
  },
  {
    what: "A save() that has nothing to store does not ask the store.",
    file: "src/session/manager.ts",
    find: `    await this.#carryOut(open, open.attempt(this.#useNow(open), open.isSealed));`,
    replace: `    await this.#carryOut(open, open.attempt(this.#useNow(open)));`,
    in: "tests/session/outliving.test.ts",
    test: "a session that outlives its response, on InMemorySessionBackend > B4: save() returns false once the session has ended, even if nothing has changed",
  },

  // What a request brings.
  {
    what: "Of several sessions that a request names, the first counts.",
    file: "src/session/arrivals.ts",
    find: `    if (first !== undefined && others.length === 0) return first;`,
    replace: `    if (first !== undefined) return first;`,
    in: "tests/session/visits.test.ts",
    test: "several cookies of one name, on InMemorySessionBackend > B5: of several that do, none counts, and no cookie is set by reading",
  },
  {
    what: "All values that a name has are looked at, however many a request brings.",
    file: "src/session/cookie.ts",
    find: `    while (start !== -1 && values.size < MOST_VALUES) {`,
    replace: `    while (start !== -1) {`,
    in: "tests/session/visits.test.ts",
    test: "several cookies of one name, on InMemorySessionBackend > B5: a fifth value is not looked at",
  },
  {
    what: "destroy() clears the cookie only if it opened a session.",
    file: "src/session/manager.ts",
    find: `    return hasEnded && arrived.at !== "nowhere" ?`,
    replace: `    return hasEnded && arrived.at === "store" ?`,
    in: "tests/session/visits.test.ts",
    test: "a cookie that opens nothing, on InMemorySessionBackend > B6: destroy() clears it, and nothing else does: an id that was never issued",
  },
  {
    what: "A cookie that never had the form of an id counts as a session that is over.",
    file: "src/session/meta.ts",
    find: `    this.lapsed = arrived.at === "superseded" || (arrived.at === "lapsed" && arrived.isId);`,
    replace: `    this.lapsed = arrived.at === "superseded" || arrived.at === "lapsed";`,
    in: "tests/session/visits.test.ts",
    test: "a cookie that opens nothing, on InMemorySessionBackend > B6: meta.lapsed tells one that is over from none at all",
  },
  {
    what: "HEAD takes flash messages, as the GET that it stands for does.",
    file: "src/session/visit.ts",
    find: `    request.method === "HEAD" || (request.headers.get("sec-purpose") ?? "").includes("prefetch")
`,
    replace: `    (request.headers.get("sec-purpose") ?? "").includes("prefetch")
`,
    in: "tests/session/visits.test.ts",
    test: "a request that only looks > B7: leaves flash messages where they are: a HEAD",
  },
  {
    what: "Sec-Purpose is compared as a whole, so that a prerendered page takes the messages.",
    file: "src/session/visit.ts",
    find: `(request.headers.get("sec-purpose") ?? "").includes("prefetch")`,
    replace: `request.headers.get("sec-purpose") === "prefetch"`,
    in: "tests/session/visits.test.ts",
    test: "a request that only looks > B7: leaves flash messages where they are: a prerender",
  },
  {
    what: "A request without a cookie begins a session, whatever site it comes from.",
    file: "src/session/open-session.ts",
    find: `    if (login === undefined && isForeign) return { kind: "drop", from };
`,
    replace: ``,
    in: "tests/session/visits.test.ts",
    test: "a request of another site without a cookie > B8: begins no session by writing: any, under SameSite=Strict",
  },
  {
    what: "Only SameSite=Strict is thought to withhold cookies.",
    file: "src/session/visit.ts",
    find: `  return sameSite === "strict" || !isSafe(request.method);`,
    replace: `  return sameSite === "strict";`,
    in: "tests/session/visits.test.ts",
    test: "a request of another site without a cookie > B8: begins no session by writing: an unsafe one, under Lax",
  },
  {
    what: "Where a cookie may have been withheld, not even a login begins a session.",
    file: "src/session/open-session.ts",
    find: `    if (login === undefined && isForeign) return`,
    replace: `    if (isForeign) return`,
    in: "tests/session/visits.test.ts",
    test: "a request of another site without a cookie > B8: login() begins one all the same",
  },
  {
    what: "`renews` is asked before save() and update(), and not at the end of a request.",
    file: "src/session/manager.ts",
    find: `    if (!this.#isRenewing(open)) return NO_USE;
`,
    replace: ``,
    in: "tests/session/visits.test.ts",
    test: "the option `renews` > B12: requests for which it returns false do not count as use",
  },
  {
    what: "A touch is due a tenth of the timeout after the last, whatever end that has set.",
    file: "src/session/lifetimes.ts",
    find: `    return (
      record.expiresAt < at + idle - share && this.#expiry(record, at) - record.expiresAt > share
    );`,
    replace: `    return false;`,
    in: "tests/session/visits.test.ts",
    test: "two timeouts on one backend, on InMemorySessionBackend > B21: nobody is logged out in mid-use",
  },
  {
    what: "A session ends when its row says, whatever the timeout is by now.",
    file: "src/session/lifetimes.ts",
    find: `      record.createdAt + this.#lifetime <= now ||
      record.touchedAt + this.#idleTimeout(record) <= now
`,
    replace: `      record.createdAt + this.#lifetime <= now
`,
    in: "tests/session/visits.test.ts",
    test: "two timeouts on one backend, on InMemorySessionBackend > B21: a timeout that was shortened applies to sessions that are stored",
  },
  {
    what: "A session that has expired by this process's clock counts as deleted.",
    file: "src/session/arrivals.ts",
    find: `      return { at: "lapsed", isId: true, key };`,
    replace: `      return { at: "lapsed", isId: true, key: null };`,
    in: "tests/session/visits.test.ts",
    test: "a cookie that opens nothing, on InMemorySessionBackend > B22: destroy() ends the session that only this process's clock calls expired",
  },
  {
    what: "A login leaves the row alone that its cookie names and that has expired here.",
    file: "src/session/writer.ts",
    find: `    const former = login !== undefined && from.at === "lapsed" && this.end(from);
    return andThen(former, () => this.#insert(this.#checkSize(contents), login, 1));`,
    replace: `    return this.#insert(this.#checkSize(contents), login, 1);`,
    in: "tests/session/visits.test.ts",
    test: "a cookie that opens nothing, on InMemorySessionBackend > B22: login() ends the session that only this process's clock calls expired",
  },
  {
    what: "A fast clock sweeps what other processes still serve.",
    file: "src/session/manager.ts",
    find: `this.#settings.now() - CLOCK_TOLERANCE`,
    replace: `this.#settings.now()`,
    in: "tests/session/manager.test.ts",
    test: "B22: leaves what a process whose clock is five minutes behind still serves, in SqliteSessionBackend",
  },

  // Users, and options.
  {
    what: "The namespace goes into the hash of an id, and the cookie's name does not.",
    file: "src/session/names.ts",
    find: `\`\\n\${cookieName}\\n\${namespace ?? ""}\``,
    replace: `\`\\n\${namespace ?? ""}\``,
    in: "tests/session/users.test.ts",
    test: "two services on one backend, on InMemorySessionBackend > B9: never open each other's sessions where their cookies have different names",
  },
  {
    what: "Namespaces set ids apart, and not the users.",
    file: "src/session/names.ts",
    find: `isPlain ? this.#prefix + userId : SEPARATOR + userId`,
    replace: `userId`,
    in: "tests/session/users.test.ts",
    test: "users in different namespaces, on InMemorySessionBackend > B9: are different users, though they have one id",
  },
  {
    what: "A login beyond `maxPerUser` ends the sessions that were used last.",
    file: "src/session/writer.ts",
    find: `      const surplus = others.slice(maxPerUser - 1);`,
    replace: `      const surplus = others.slice(0, Math.max(0, others.length - maxPerUser + 1));`,
    in: "tests/session/users.test.ts",
    test: "maxPerUser, on InMemorySessionBackend > B10: a login beyond it ends the user's session that was used longest ago",
  },
  {
    what: "A user's sessions are all ended in one step.",
    file: "src/session/manager.ts",
    find: `const REVOKE_BATCH = 200;`,
    replace: `const REVOKE_BATCH = 1_000_000;`,
    in: "tests/session/users.test.ts",
    test: "the list of a user's sessions, on InMemorySessionBackend > B10: revokeAll() ends as many as there are, in steps, and says what it ended",
  },
  {
    what: "Keys of an object are those that can be enumerated: others are dropped without a word.",
    file: "src/session/json.ts",
    find: `  return !hasHiddenKeys(value, count);`,
    replace: `  return true;`,
    in: "tests/session/json.test.ts",
    test: "B14: refuses one deep inside and names its key path",
  },
  {
    what: "An array is its items, and what else it has is dropped without a word.",
    file: "src/session/json.ts",
    find: `    if (prototype !== Array.prototype || hasHiddenKeys(value, value.length + 1)) return false;
`,
    replace: ``,
    in: "tests/session/json.test.ts",
    test: "B14: refuses a named property of an array and names its key path",
  },
  {
    what: "Of a user's id it is checked only that it holds no NUL.",
    file: "src/session/names.ts",
    find: `  if (value.includes("\\u0000") || !value.isWellFormed()) {`,
    replace: `  if (value.includes("\\u0000")) {`,
    in: "tests/session/users.test.ts",
    test: "login(), on InMemorySessionBackend > B15: refuses a user's id with half of a surrogate pair, and stores nothing",
  },
  {
    what: "authenticatedWithin() compares milliseconds with seconds.",
    file: "src/session/meta.ts",
    find: `this.#now - this.authenticatedAt <= seconds * 1000`,
    replace: `this.#now - this.authenticatedAt <= seconds`,
    in: "tests/session/renewal.test.ts",
    test: "login() by the user whose session it is, on InMemorySessionBackend > B20: meta.authenticatedWithin() goes by the last login",
  },
  {
    what: "A label is stored as it comes.",
    file: "src/session/login.ts",
    find: `  if (label !== undefined) checkText("\`label\`", label);
`,
    replace: ``,
    in: "tests/session/users.test.ts",
    test: "login(), on InMemorySessionBackend > B20: refuses the label 7",
  },
  {
    what: "A `timeout` beyond the default `lifetime` is taken.",
    file: "src/session/options.ts",
    find: `  if (timeout <= lifetime || options.timeout === undefined) return;`,
    replace: `  if (timeout <= lifetime || options.lifetime === undefined) return;`,
    in: "tests/session/users.test.ts",
    test: 'options that make no sense > B16: {"timeout":7776000} is refused, with the remedy',
  },
  {
    what: "The newer prefixes of cookies are names like any other.",
    file: "src/session/cookie.ts",
    find: ` || lowered.startsWith("__secure-") || lowered.startsWith("__http-");`,
    replace: ` || lowered.startsWith("__secure-");`,
    in: "tests/session/users.test.ts",
    test: 'options that make no sense > B16: {"cookie":{"name":"__Http-id","secure":false}} is refused, with the remedy',
  },
  {
    what: "An option that is misspelt is passed over.",
    file: "src/http/sessions.ts",
    find: `    refuseUnknown("Sessions", options, ["backend", ...SESSION_OPTIONS, ...CROSS_ORIGIN_OPTIONS]);
`,
    replace: ``,
    in: "tests/session/users.test.ts",
    test: 'options that make no sense > B16: {"timout":5} is refused, with the remedy',
  },

  // Sessions that their handlers empty, and those that many write.
  {
    what: "A session that its handler has emptied stays, and holds nothing.",
    file: "src/session/writer.ts",
    find: `    if (isEmpty(change) && current.userId === null && !isEmpty(current)) {
      return this.#expire(key, current, next);
    }
`,
    replace: ``,
    in: "tests/session/emptied.test.ts",
    test: "a handler that empties the session, on InMemorySessionBackend > B13: ends it, and the cookie goes: by deleting the last key",
  },
  {
    what: "A session that its handler has emptied ends, somebody's or not.",
    file: "src/session/writer.ts",
    find: `    if (isEmpty(change) && current.userId === null && !isEmpty(current)) {`,
    replace: `    if (isEmpty(change) && !isEmpty(current)) {`,
    in: "tests/session/emptied.test.ts",
    test: "a handler that empties the session, on InMemorySessionBackend > B13: leaves one that lives: which somebody has logged into",
  },
  {
    what: "A session that its handler has emptied is deleted, whatever others have written meanwhile.",
    file: "src/session/writer.ts",
    find: `      return this.#expire(key, current, next);`,
    replace: `      return andThen(this.endKey(key, null), () => NOWHERE);`,
    in: "tests/session/emptied.test.ts",
    test: "a handler that empties the session, on InMemorySessionBackend > B13: loses nothing that another request has written meanwhile",
  },
  {
    what: "What a request has left as it was is written all the same.",
    file: "src/session/json.ts",
    find: `    if (is === was) continue;
`,
    replace: ``,
    in: "tests/session/conflicts.test.ts",
    test: "two requests that change one session, on InMemorySessionBackend > B17: a request that writes the value which was there when it began, changes nothing",
  },
  {
    what: "A write that others keep overtaking is given up without a word.",
    file: "src/session/writer.ts",
    find: `      throw this.#store.fail("replace", new Error("Other processes kept changing the session."));`,
    replace: `      return swap.from;`,
    in: "tests/session/conflicts.test.ts",
    test: "B18: login() ends with 503 after `storeTimeout` where others keep changing the session",
  },
  {
    what: "Whatever was merged is reported as `merged`, a lost value or not.",
    file: "src/session/writer.ts",
    find: `      const type = keys.length === 0 ? "merged" : "overwritten";
      this.#events.emit(type === "merged" ? { type, handle: key } : { type, handle: key, keys });
`,
    replace: `      void keys;
      this.#events.emit({ type: "merged", handle: key });
`,
    in: "tests/session/conflicts.test.ts",
    test: "two requests that change one session, on InMemorySessionBackend > B19: where both change one key, the event names it: `overwritten`",
  },
  {
    what: "A key that both have changed to the same counts as overwritten.",
    file: "src/session/json.ts",
    find: `    if (stored !== was && stored !== is) overwritten.push(key);`,
    replace: `    if (stored !== was) overwritten.push(key);`,
    in: "tests/session/json.test.ts",
    test: "B19: names the keys that it overwrites: one which both changed to the same",
  },
  {
    what: "The store's answers are counted, and how long they took is not.",
    file: "src/store/guarded-store.ts",
    find: `        use.totalTime += time;
`,
    replace: ``,
    in: "tests/session/conflicts.test.ts",
    test: "B19: the time of an answer that comes later is counted",
  },

  // Caching.
  {
    what: "What the app says of caches is left as it is.",
    file: "src/http/headers.ts",
    find: `  headers.set("cache-control", "no-store");`,
    replace: `  if (asked === null) headers.set("cache-control", "no-store");`,
    in: "tests/http/headers.test.ts",
    test: 'K1: overrides "public, max-age=60", with a warning',
  },
  {
    what: "A response varies by the cookie only if it sets it.",
    file: "src/http/sessions.ts",
    find: `    if (open.isAccessed) addPrivacy(response.headers);`,
    replace: `    if (setCookie !== undefined) addPrivacy(response.headers);`,
    in: "tests/session/manager.test.ts",
    test: "K2: in makes the response vary, and no more than that",
  },
  {
    what: "What a response varies by already is forgotten.",
    file: "src/http/headers.ts",
    find: `headers.set("vary", \`\${vary}, \${field}\`);`,
    replace: `headers.set("vary", field);`,
    in: "tests/http/headers.test.ts",
    test: 'K2: makes of Vary "Accept" "Accept, Cookie"',
  },
  {
    what: "A Response of the app's own, such as a redirect, does not vary.",
    file: "src/app/pipeline.ts",
    find: `  if (open?.isAccessed === true && !isPrivate) addPrivacy(response.headers);`,
    replace: ``,
    in: "tests/app/app.test.ts",
    test: "redirect > K3, D2: GET that reads the session varies, and is private",
  },

  // Other sites' pages.
  {
    what: "Pages of sister sites are taken for the app's own.",
    file: "src/http/cross-origin.ts",
    find: `        : site === "same-origin" || site === "none";`,
    replace: `        : site === "same-origin" || site === "same-site" || site === "none";`,
    in: "tests/http/cross-origin.test.ts",
    test: "X2: refuses a same-site Sec-Fetch-Site",
  },
  {
    what: "Only forms that are posted are looked at.",
    file: "src/session/visit.ts",
    find: `  return method === "GET" || method === "HEAD" || method === "OPTIONS";`,
    replace: `  return method !== "POST";`,
    in: "tests/http/cross-origin.test.ts",
    test: "refuseCrossOrigin on /verbs > DELETE > X2: refuses a cross-site Sec-Fetch-Site",
  },
  {
    what: "The check of the origin is forgotten where all doors enter.",
    file: "src/http/sessions.ts",
    find: `    this.#policy.check(request);
`,
    replace: ``,
    in: "tests/integrations/scenarios.test.ts",
    test: "other sites' pages, App, as a function > X2: a write with a foreign Origin is refused before the handler",
  },
  {
    what: "wrap() opens the session past the check of the origin.",
    file: "src/http/sessions.ts",
    find: `        const open = this.enter(request);`,
    replace: `        const open = this.open(request);`,
    in: "tests/integrations/scenarios.test.ts",
    test: "other sites' pages, wrap in fetch, as a function > X2: a write with a foreign Origin is refused before the handler",
  },
  {
    what: "Elysia opens the session past the check of the origin.",
    file: "src/integrations/elysia.ts",
    find: `    const open = this.#manager.enter(this.#request);`,
    replace: `    const open = this.#manager.open(this.#request);`,
    in: "tests/integrations/scenarios.test.ts",
    test: "other sites' pages, Elysia, as a function > X2: a write with a foreign Origin is refused before the handler",
  },
  {
    what: "Hono opens the session past the check of the origin.",
    file: "src/integrations/hono.ts",
    find: `    const open = manager.enter(request);`,
    replace: `    const open = manager.open(request);`,
    in: "tests/integrations/scenarios.test.ts",
    test: "other sites' pages, Hono, as a function > X2: a write with a foreign Origin is refused before the handler",
  },
  {
    what: "A WebSocket's handshake is let in from everywhere, as any GET is.",
    file: "src/http/cross-origin.ts",
    find: `(isSafe(method) && !asksForSocket(request))`,
    replace: `isSafe(method)`,
    in: "tests/integrations/scenarios.test.ts",
    test: "other sites' pages, App, as a function > X3: a WebSocket handshake with a foreign Origin is refused before the handler",
  },
  {
    rule: "preflight",
    what: "A trusted origin may send its requests, but not with cookies.",
    file: "src/http/cross-origin.ts",
    find: `        "access-control-allow-credentials": "true",
`,
    replace: ``,
    in: "tests/integrations/scenarios.test.ts",
    test: "other sites' pages, wrap in fetch, as a function > answers a trusted origin's preflight, and never runs the handler for it",
  },
  {
    rule: "preflight",
    what: "Every origin's preflight is answered, as if it were trusted.",
    file: "src/http/cross-origin.ts",
    find: `    if (origin === null || method === null || !this.#trusted.has(origin)) return undefined;`,
    replace: `    if (origin === null || method === null) return undefined;`,
    in: "tests/integrations/scenarios.test.ts",
    test: "other sites' pages, App, as a function > answers the preflight of no other origin",
  },
  {
    rule: "preflight",
    what: "A preflight reaches Hono's handlers, as any OPTIONS does.",
    file: "src/integrations/hono.ts",
    find: `    if (preflight !== undefined) return preflight;
`,
    replace: ``,
    in: "tests/integrations/scenarios.test.ts",
    test: "other sites' pages, Hono, as a function > answers a trusted origin's preflight, and never runs the handler for it",
  },
  {
    rule: "preflight",
    what: "Only responses to trusted origins say that they vary by the origin.",
    file: "src/http/cross-origin.ts",
    find: `    addVary(shared.headers, "Origin");
    const origin = request.headers.get("origin");
    if (origin === null || !this.#trusted.has(origin)) return shared;
`,
    replace: `    const origin = request.headers.get("origin");
    if (origin === null || !this.#trusted.has(origin)) return shared;
    addVary(shared.headers, "Origin");
`,
    in: "tests/integrations/scenarios.test.ts",
    test: "other sites' pages, App, as a function > lets a trusted origin's page read the response, and says that it depends on that",
  },

  // Elysia and Hono.
  {
    what: "Elysia's answer to what was thrown is taken for the page's own.",
    file: "src/integrations/elysia.ts",
    find: `failure === undefined ? response.status : 500`,
    replace: `response.status`,
    in: "tests/integrations/elysia.test.ts",
    test: "S8: nothing is stored for > on any store > a status that is thrown",
  },
  {
    rule: "stores",
    what: "Elysia takes every store for one that answers at once.",
    file: "src/integrations/elysia.ts",
    find: `manager.isSynchronous ? beginAtOnce`,
    replace: `manager !== undefined ? beginAtOnce`,
    in: "tests/integrations/stores.test.ts",
    test: "Elysia > on a store that answers later > keeps a session from its first visit to its end",
  },
  {
    what: "The session is put into the context, and so decoded, for every route behind the plugin.",
    file: "src/integrations/elysia.ts",
    find: `    (context as unknown as WithGetters).__defineGetter__(key, getSession);`,
    replace: `    Object.assign(context, { [key]: visit.session });`,
    in: "tests/integrations/elysia.test.ts",
    test: "K2: costs a route that leaves it alone the look-up, and no Vary",
  },
  {
    what: "The cookie that is carried by @elysiajs/cookie loses its domain on the way.",
    file: "src/integrations/elysia.ts",
    find: `domain: domain ?? undefined, `,
    replace: ``,
    in: "tests/integrations/elysia.test.ts",
    test: "C9: is set and cleared with the same attributes, of a domain and for embedding sites",
  },
  {
    what: "Hono puts the headers of a success on the response that says there was none.",
    file: "src/integrations/hono.ts",
    find: `  withdraw(c);
  c.res = response;`,
    replace: `  c.res = response;`,
    in: "tests/integrations/scenarios.test.ts",
    test: "Hono, as a function > S7: a session that could not be stored has no cookie, and nothing claims that it was",
  },
  {
    what: "Hono's answer to what was thrown is taken for the page's own.",
    file: "src/integrations/hono.ts",
    find: `c.error === undefined ? c.res.status : 500`,
    replace: `c.res.status`,
    in: "tests/integrations/hono.test.ts",
    test: "S8: an error that `onError` answers with success is an error all the same",
  },

  // WebSockets.
  {
    what: "A handshake stores the session, and keeps its cookie to itself.",
    file: "src/session/manager.ts",
    find: `    return setCookie === undefined ? {} : { "set-cookie": setCookie };`,
    replace: `    return setCookie === undefined ? {} : {};`,
    in: "tests/session/manager-upgrade.test.ts",
    test: "X5: hands out a new session's cookie with the 101, and stores it by then",
  },

  // Storage and failure.
  {
    what: "Copies of a session's data have a prototype.",
    file: "src/session/json.ts",
    find: `  return Object.assign(Object.create(null), source) as Record<string, unknown>;`,
    replace: `  return Object.assign({}, source) as Record<string, unknown>;`,
    in: "tests/session/session.test.ts",
    test: "S1: gives the function a dictionary in which __proto__ is a key",
  },
  {
    what: "A list in place of a dictionary passes for an empty one.",
    file: "src/store/record.ts",
    find: `    return typeof value === "object" && value !== null && !Array.isArray(value)`,
    replace: `    return typeof value === "object" && value !== null`,
    in: "tests/session/json.test.ts",
    test: 'S2: gives undefined for "[]", which is no dictionary',
  },
  {
    what: "A row that is no JSON is an error.",
    file: "src/store/record.ts",
    find: `  } catch {
    return undefined;`,
    replace: `  } catch (cause) {
    throw new Error("The stored session cannot be read.", { cause });`,
    in: "tests/session/json.test.ts",
    test: 'S2: gives undefined for "{", which is no dictionary',
  },
  {
    what: "Characters are counted for bytes.",
    file: "src/session/writer.ts",
    find: `    const bytes = Buffer.byteLength(data) + (flash === null ? 0 : Buffer.byteLength(flash));`,
    replace: `    const bytes = data.length + (flash?.length ?? 0);`,
    in: "tests/session/manager.test.ts",
    test: "S3: holds bytes, not characters",
  },
  {
    what: "A Date is stored, and comes back as a text.",
    file: "src/session/json.ts",
    find: `  if (ancestors.includes(value)) {`,
    replace: `  if (value instanceof Date) return undefined;
  if (ancestors.includes(value)) {`,
    in: "tests/session/json.test.ts",
    test: "S4: refuses a Date and names its key path",
  },
  {
    what: "A user's name is pasted into SQL.",
    file: "src/backends/sqlite/backend.ts",
    find: `    return this.#commits.read(() => this.#statements.list.all({ userId, limit, now: this.now() }));`,
    replace: `    const columns =
      "id AS handle, user_id AS userId, created_at AS createdAt, touched_at AS touchedAt, " +
      "expires_at AS expiresAt, authenticated_at AS authenticatedAt, label";
    const where = "user_id = '" + userId + "' AND expires_at > " + this.now();
    const query = "SELECT " + columns + " FROM bunpie_sessions WHERE " + where + " LIMIT " + limit;
    return this.#commits.read(() => this.#client.query(query).all() as SessionInfo[]);`,
    in: "tests/backends/every-store.test.ts",
    test: `SqliteSessionBackend > S5: takes text that looks like a command for text: "' OR 1=1 --"`,
  },
  {
    what: "A store that does not answer counts as one that has found nothing.",
    file: "src/store/guarded-store.ts",
    find: `        () => fail(new Error(\`No answer after \${this.#timeout} ms.\`)),`,
    replace: `        () => resolve(undefined as T),`,
    in: "tests/session/manager-failure.test.ts",
    test: "S7: is waited for 2,000 ms by default, and then it is a 503",
  },
  {
    what: "A destroy() does not wait until its row is deleted.",
    file: "src/backends/sqlite/backend.ts",
    find: `    const successor = await this.#write([id], (writes) => writes.delete(id));`,
    replace: `    const successor = undefined;
    this.#write([id], (writes) => writes.delete(id)).catch(console.error);`,
    in: "tests/guarantees/outages.test.ts",
    test: "G11: what cannot be done is a 503, and all else goes on, while another process holds the database",
  },
  {
    what: "A response of 500 stores what its handler has done.",
    file: "src/session/manager.ts",
    find: `    if (status >= 500) return this.#seal(open, place);`,
    replace: `    if (status > 500) return this.#seal(open, place);`,
    in: "tests/integrations/scenarios.test.ts",
    test: "wrap in fetch, as a function > S8: a response of 500 stores nothing, and one of 404 what any other does",
  },
  {
    what: "A body is read to its end, and measured then.",
    file: "src/app/body.ts",
    find: `      if (size > limit) throw tooLarge(limit);
`,
    replace: ``,
    in: "tests/app/request.test.ts",
    test: "S9: stops reading at the limit",
  },
  {
    what: "A form may have any number of fields.",
    file: "src/app/body.ts",
    find: `const MAX_FIELDS = 1000;`,
    replace: `const MAX_FIELDS = Infinity;`,
    in: "tests/app/request.test.ts",
    test: "S9: takes 1,000 pairs, and no more",
  },
  {
    what: "An app that listens by itself leaves the limit of bodies to Bun.",
    file: "src/app/app.ts",
    find: `      maxRequestBodySize: this.#largestBody,`,
    replace: ``,
    in: "tests/guarantees/slow-clients.test.ts",
    test: "an app served as in listening.ts > S9: answers a head or a body that is too large, without an option that says so",
  },
  {
    what: "An upload may have any number of parts.",
    file: "src/app/uploads.ts",
    find: `limits: { parts: maxParts, headerSize: MAX_HEADER_BYTES },`,
    replace: `limits: { headerSize: MAX_HEADER_BYTES },`,
    in: "tests/app/uploads.test.ts",
    test: "S9: takes 1,000 parts, and no more",
  },
  {
    what: "An upload may have any number of files.",
    file: "src/app/uploads.ts",
    find: `if (++files > limits.maxFiles) throw`,
    replace: `if (++files > Infinity) throw`,
    in: "tests/app/uploads.test.ts",
    test: "S9: takes 20 files unless told otherwise, and no more",
  },
  {
    what: "The text fields of an upload may be of any size.",
    file: "src/app/uploads.ts",
    find: `await collect(read(stream, fieldRoom))`,
    replace: `await collect(read(stream))`,
    in: "tests/app/uploads.test.ts",
    test: "S9: takes text fields of maxBodyBytes together, and no more",
  },
  {
    what: "Each file in memory may have the size that all may have together.",
    file: "src/app/uploads.ts",
    find: `read(stream, room, fileRoom)`,
    replace: `read(stream, room, makeRoom(limits.maxBytes, "has files of more than"))`,
    in: "tests/app/uploads.test.ts",
    test: "S9: takes files of maxBytes together, by default of maxBodyBytes, and no more",
  },
  {
    what: "A schema's problems are all sent, however many.",
    file: "src/app/validate.ts",
    find: `const MAX_PROBLEMS = 100;`,
    replace: `const MAX_PROBLEMS = Infinity;`,
    in: "tests/app/validate.test.ts",
    test: "S9: names 100 problems at most",
  },
  {
    what: "A Content-Length is trusted that no server has checked.",
    file: "src/app/body.ts",
    find: `if (length !== null && isFromSocket) return`,
    replace: `if (length !== null) return`,
    in: "tests/app/request.test.ts",
    test: "S9: is 413 where the app replaces it by a longer one than its Content-Length says",
  },
  {
    what: "A body is read one chunk at a time.",
    file: "src/app/body.ts",
    find: `const CHUNKS_PER_TURN = 16;`,
    replace: `const CHUNKS_PER_TURN = Infinity;`,
    in: "tests/app/request.test.ts",
    test: "N1: arrives whole, and costs at most 3 times what Bun takes to read it",
  },
  {
    what: "A path is part of the log's format.",
    file: "src/app/app.ts",
    find: `console.error("%s failed:", page, escapeError(error));`,
    replace: `console.error(page + " failed:", error);`,
    in: "tests/app/answers.test.ts",
    test: "N2: logs why a page failed whose path has what looks like a format",
  },
  {
    what: "A path is logged as it stands.",
    file: "src/app/app.ts",
    find: `escapeControls(\`\${request.method} \${toPath(request.url)}\`);`,
    replace: `\`\${request.method} \${toPath(request.url)}\`;`,
    in: "tests/app/answers.test.ts",
    test: "N2: logs why a page failed whose path has a control character",
  },
  {
    what: "Control characters of an error reach the log.",
    file: "src/app/app.ts",
    find: `page, escapeError(error));`,
    replace: `page, error);`,
    in: "tests/app/answers.test.ts",
    test: "N2: logs why a page failed whose error has a control character",
  },
  {
    what: "Handlers that a field inherits answer too.",
    file: "src/app/pages.ts",
    find: `  const entries = Object.entries(Object.getOwnPropertyDescriptors(value)).map(
    ([key, { value: held }]) => [key, held as unknown] as const,
  );`,
    replace: `  const keys: string[] = [];
  for (const key in value) keys.push(key);
  const entries = keys.map((key) => [key, (value as Record<string, unknown>)[key]] as const);`,
    in: "tests/guarantees/dispatch.test.ts",
    test: "D1: a name from the wire reaches nothing but pages > G14: a path reaches the page whose name it spells, and nothing else that the app or the language holds",
  },
  {
    what: "Surplus segments are ignored.",
    file: "src/app/pattern-tree.ts",
    find: `  if (open !== undefined || rest === undefined) return open;`,
    replace: `  if (open !== undefined || rest === undefined) return open ?? node.page;`,
    in: "tests/app/table.test.ts",
    test: "D2: answers too many segments for a method with 404",
  },
  {
    what: "A file is sent without a look whether it is there.",
    file: "src/app/call.ts",
    find: `  if (isFile(value)) return respondWithFile(visit, value);`,
    replace: ``,
    in: "tests/app/failures.test.ts",
    test: "S10: of a file that is missing is a 404, and nothing is stored",
  },
  {
    what: "Helpers whose names begin with an underscore are pages.",
    file: "src/app/pages.ts",
    find: `  return name !== "constructor" && !name.startsWith("_");`,
    replace: `  return name !== "constructor";`,
    in: "tests/app/pages.test.ts",
    test: "what looks like a page and cannot be one > D1: helpers under _ and # are none either",
  },
  {
    what: "A file is looked for where its path points, and links are followed wherever they lead.",
    file: "src/app/files.ts",
    find: `      const path = realpathSync.native(join(this.#root, ...segments));`,
    replace: `      const path = join(this.#root, ...segments);`,
    in: "tests/app/files.test.ts",
    test: "what lies outside stays there > D3: refuses out/secret.txt",
  },
  {
    what: "A folder whose name begins like the one that is sent counts as part of it.",
    file: "src/app/files.ts",
    find: `  return path === root || path.startsWith(root.endsWith(sep) ? root : root + sep);`,
    replace: `  return path.startsWith(root);`,
    in: "tests/app/files.test.ts",
    test: "what lies outside stays there > D3: refuses beside/secret.txt",
  },
  {
    what: "Files in a folder that begins with a dot are sent, because only the last name is looked at.",
    file: "src/app/files.ts",
    find: `segments.some(isHidden)`,
    replace: `isHidden(segments.at(-1) ?? "")`,
    in: "tests/app/files.test.ts",
    test: "what lies outside stays there > D3: refuses .git/config",
  },
  {
    what: "A session is opened for files, as for any page.",
    file: "src/app/pages.ts",
    find: `  return files.isPublic ? { ...page, files } : page;`,
    replace: `  return page;`,
    in: "tests/app/files.test.ts",
    test: "a folder for everybody > D4: reads no session for a file, and calls no middleware",
  },
  {
    what: "A file is marked as private only if its guard looked at the session.",
    file: "src/app/files.ts",
    find: `    addPrivacy(response.headers);
    return response;`,
    replace: `    return response;`,
    in: "tests/app/files.test.ts",
    test: "a folder with a guard > D4: is private, whatever the guard looked at: a part",
  },

  // Seen elsewhere.
  {
    what: "An id that is not in the store opens an empty session of that id.",
    file: "src/session/arrivals.ts",
    find: `      this.#events.emit({ type: "rejected", reason: "unknown" });
      return { at: "lapsed", isId: true, key: null };
`,
    replace: `      const facts = { data: "{}", flash: null, userId: null, authenticatedAt: null, remember: null };
      const times = { createdAt: now, touchedAt: now, expiresAt: now };
      const fresh = this.#lifetimes.restart({ ...facts, ...times, version: 1, label: null }, now);
      return { at: "store", id, key, record: fresh };
`,
    in: "tests/guarantees/seen-elsewhere.test.ts",
    test: "Fiber CVE-2024-38513, MicroPie: an id of the client's own making became the session's key",
  },
  {
    what: "A login changes the session under the id that it has.",
    file: "src/session/writer.ts",
    find: `    return swap.renewal === undefined
`,
    replace: `    if (swap.renewal?.kind === "login" && swap.from.at === "store") {
      const { id } = swap.from;
      const record = this.#renew(current, change, swap.renewal);
      return andThen(this.#store.ask("replace", key, record, current), (isDone) =>
        isDone ? { at: "store", id, key, record } : undefined,
      );
    }
    return swap.renewal === undefined
`,
    in: "tests/guarantees/seen-elsewhere.test.ts",
    test: "passport CVE-2022-25896: the id from before the login was good after it",
  },
  {
    rule: "rack-session CVE-2025-46336 and others",
    what: "A write that finds its row gone puts it back, in memory.",
    file: "src/backends/memory/backend.ts",
    find: `    const entry = this.#entries.get(id);
    if (entry === undefined) return false;
    const { content } = entry;`,
    replace: `    const entry = this.#entries.get(id);
    if (entry === undefined) return this.create(id, record);
    const { content } = entry;`,
    in: "tests/guarantees/seen-elsewhere.test.ts",
    test: "rack-session CVE-2025-46336, express-session, @fastify/session, hono-sessions, koa-session: a request under way brought back a session that had ended",
  },
  {
    rule: "rack-session CVE-2025-46336 and others",
    what: "A write that finds its row gone inserts it, on SQLite.",
    file: "src/backends/sqlite/writes.ts",
    find: `    return statement.run({ ...record, id, was: old.version, now: this.#now() }) === 1;`,
    replace: `    const values = { ...record, id, was: old.version, now: this.#now() };
    return statement.run(values) === 1 || this.create(id, record);`,
    in: "tests/guarantees/seen-elsewhere.test.ts",
    test: "rack-session CVE-2025-46336, express-session, @fastify/session, hono-sessions, koa-session: another process brought back a session that had ended",
  },
  {
    rule: "express-session and others",
    what: "A write replaces whatever has been written meanwhile.",
    file: "src/backends/sqlite/statements.ts",
    find: `and(isId, isLive, eq(sessions.version, value("was")))`,
    replace: `and(isId, isLive)`,
    in: "tests/guarantees/seen-elsewhere.test.ts",
    test: "express-session, @fastify/session, hono-sessions, koa-session: of two keys set at the same time, one was lost",
  },
  {
    what: "A redirect, which has no body, need not wait for the store.",
    file: "src/app/pipeline.ts",
    find: `      const asked = ask(visit, at);
      if (isPromise(asked)) return resume(visit, at, asked);`,
    replace: `      const asked = ask(visit, at);
      if (at === SETTLE && visit.response?.status === 302) return visit.response;
      if (isPromise(asked)) return resume(visit, at, asked);`,
    in: "tests/guarantees/seen-elsewhere.test.ts",
    test: "express-session #360: a redirect left before the session was stored",
  },
  {
    what: "A session that could not be stored is logged, and the page is sent.",
    file: "src/app/pipeline.ts",
    find: `    then = fail(visit, error);
  }
  return run(visit, then);`,
    replace: `    if (at === SETTLE) return visit.response as Response;
    then = fail(visit, error);
  }
  return run(visit, then);`,
    in: "tests/guarantees/seen-elsewhere.test.ts",
    test: "express-session: the answer was 200 although the session was not stored",
  },
  {
    what: "A store that fails is reported, and counts as one that has found nothing.",
    file: "src/store/guarded-store.ts",
    find: `      return isPromise(answer) ? this.#await(operation, answer) : answer;
    } catch (cause) {
      throw this.fail(operation, cause);
    }`,
    replace: `      return isPromise(answer) ? this.#await(operation, answer) : answer;
    } catch (cause) {
      this.fail(operation, cause);
      return undefined as Answer<Name>;
    }`,
    in: "tests/guarantees/seen-elsewhere.test.ts",
    test: "hono-sessions: while the store was down, visitors were strangers and lost their cookies",
  },
  {
    what: "A session that was looked at is stored, empty as it is.",
    file: "src/session/open-session.ts",
    find: `    if (login === undefined && isEmpty(contents)) return { kind: "none" };`,
    replace: `    if (login === undefined && !this.isAccessed) return { kind: "none" };`,
    in: "tests/guarantees/seen-elsewhere.test.ts",
    test: "@fastify/session, hono-sessions: every anonymous visit made a row, a cookie and a write",
  },
  {
    what: "When a session ends is reckoned from now, and then compared with now.",
    file: "src/session/arrivals.ts",
    find: `    if (this.#lifetimes.isExpired(found, now)) {`,
    replace: `    if (this.#lifetimes.isExpired(this.#lifetimes.restart(found, now), now)) {`,
    in: "tests/guarantees/seen-elsewhere.test.ts",
    test: "@fastify/session CVE-2024-35220: each load reckoned the end anew, so that no session ended",
  },
  {
    rule: "tower-sessions 0.12",
    what: "A new session takes the place of one with the same id, in memory.",
    file: "src/backends/memory/backend.ts",
    find: `      if (this.#isLive(taken)) return false;
      this.#remove(taken);`,
    replace: `      this.#remove(taken);`,
    in: "tests/guarantees/seen-elsewhere.test.ts",
    test: "tower-sessions 0.12 (#180, #188): a new session with an id that was taken opened the other's: /add/tea",
  },
  {
    rule: "tower-sessions 0.12",
    what: "A new id is not looked up before a session gets it, on SQLite.",
    file: "src/backends/sqlite/writes.ts",
    find: `    if (isTaken.all({ id: newId, now }).length > 0) return false;
`,
    replace: ``,
    in: "tests/guarantees/seen-elsewhere.test.ts",
    test: "tower-sessions 0.12 (#180, #188): a new session with an id that was taken opened the other's: /login/bob",
  },
  {
    what: "Whatever is a blank in Unicode is trimmed.",
    file: "src/session/cookie.ts",
    find: `  return code === 0x20 || code === 0x09;`,
    replace: `  return String.fromCharCode(code).trim() === "";`,
    in: "tests/guarantees/seen-elsewhere.test.ts",
    test: "Hono CVE-2026-39410: a no-break space before its name let an evil cookie pass for the session's",
  },
  {
    what: "Of SameSite it is checked only that it is a text.",
    file: "src/session/cookie.ts",
    find: `    !SAME_SITE.has(sameSite),`,
    replace: `    typeof sameSite !== "string",`,
    in: "tests/guarantees/seen-elsewhere.test.ts",
    test: 'jshttp/cookie CVE-2024-47764, Hono CVE-2026-47675: a cookie\'s sameSite carried further attributes along: "lax; Domain=evil.example"',
  },
  {
    what: "Only responses that vary by the cookie are kept out of caches.",
    file: "src/http/headers.ts",
    find: `  forbidStoring(answer.headers);`,
    replace: `  if (answer.headers.has("vary")) forbidStoring(answer.headers);`,
    in: "tests/guarantees/seen-elsewhere.test.ts",
    test: "Flask CVE-2023-30861, Django CVE-2026-35192: a shared cache kept the cookie of a page that renewed it",
  },
  {
    what: "A page varies by the cookie only if it sets one.",
    file: "src/app/call.ts",
    find: `  const response = toResponse(value, visit.open?.isAccessed === true);`,
    replace: `  const response = toResponse(value, visit.askedDraft !== undefined);`,
    in: "tests/guarantees/seen-elsewhere.test.ts",
    test: "Flask CVE-2026-27205: a shared cache kept a page that had only asked for a key",
  },
  {
    what: "Sessions are stored and looked up by the id itself.",
    file: "src/session/id.ts",
    find: `  return Bun.SHA256.hash(id, "base64url");`,
    replace: `  return id;`,
    in: "tests/guarantees/seen-elsewhere.test.ts",
    test: "Rack CVE-2019-16782: the time of a look-up told how much of an id was guessed",
  },
  {
    what: "An id that is not in the store gets an empty row.",
    file: "src/session/arrivals.ts",
    find: `      this.#events.emit({ type: "rejected", reason: "unknown" });`,
    replace: `      this.#events.emit({ type: "rejected", reason: "unknown" });
      const facts = { data: "{}", flash: null, userId: null, authenticatedAt: null, remember: null };
      const times = { createdAt: now, touchedAt: now, expiresAt: now };
      const fresh = this.#lifetimes.restart({ ...facts, ...times, version: 1, label: null }, now);
      void this.#store.tell("create", key, fresh);`,
    in: "tests/guarantees/seen-elsewhere.test.ts",
    test: "Django CVE-2015-5143, CVE-2015-5963: unknown ids and anonymous logouts made rows",
  },
  {
    what: "Routes are kept in an object, which has a prototype.",
    file: "src/app/pattern-tree.ts",
    find: `    return this.#paths.get(path);`,
    replace: `    const paths: Record<string, Page> = Object.fromEntries(this.#paths);
    return paths[path] ?? paths[path.slice(1)];`,
    in: "tests/guarantees/seen-elsewhere.test.ts",
    test: "React CVE-2025-55182, MicroPie: a name from the wire reached what is no page",
  },
  {
    what: "Paths that are a name and nothing else go past the check of the origin.",
    file: "src/app/pipeline.ts",
    find: `      return site.sessions.enter(raw);`,
    replace: `      return visit.match?.params.length === 0 ? site.sessions.open(raw) : site.sessions.enter(raw);`,
    in: "tests/guarantees/seen-elsewhere.test.ts",
    test: "React Router CVE-2026-22030: the origin was checked on one way to the handlers only: a field's handler",
  },
  {
    what: "A form in parts is left to the platform, which knows no limit.",
    file: "src/app/body.ts",
    find: `return readFields(await this.bytes(), type);`,
    replace: `return readFields(await this.#request.arrayBuffer(), type);`,
    in: "tests/guarantees/seen-elsewhere.test.ts",
    test: "Werkzeug CVE-2023-25577, Starlette CVE-2024-47874: a form in parts without an end filled the memory: small parts",
  },
  {
    what: "The sweeper goes by when a session was to end before it was used again.",
    file: "src/backends/memory/expiry-heap.ts",
    find: `      if (first.expiresAt <= now) return first;
      first.dueAt = first.expiresAt;
      this.#sink(first, 0);`,
    replace: `      return first;`,
    in: "tests/guarantees/seen-elsewhere.test.ts",
    test: "govuk-prototype-kit #2399: the sweeper removed sessions that were in use: InMemorySessionBackend",
  },
  {
    what: "A request that fails is settled by the status of its response.",
    file: "src/app/pipeline.ts",
    find: `  return site.sessions.settle(open, failure === undefined ? response.status : 500);`,
    replace: `  return site.sessions.settle(open, response.status);`,
    in: "tests/guarantees/seen-elsewhere.test.ts",
    test: "MicroPie: what a failed request had changed stayed changed",
  },
  {
    what: "An update() starts from what the request has read.",
    file: "src/session/manager.ts",
    find: `      const data = toDictionary(decode(current.data) ?? {});`,
    replace: `      const data = toDictionary(decode(place.record.data) ?? {});`,
    in: "tests/guarantees/seen-elsewhere.test.ts",
    test: "MicroPie: of fifty increments at once, one survived",
  },
  {
    what: "What the query says is put into the session, for convenience.",
    file: "src/app/pipeline.ts",
    find: `    visit.open = open;`,
    replace: `    visit.open = open;
    Object.assign(visit.open.session, Object.fromEntries(new URL(visit.raw.url).searchParams));`,
    in: "tests/guarantees/seen-elsewhere.test.ts",
    test: "MicroPie: values of the session were overridden from the query string and the form",
  },

  // Figures.
  {
    what: "A cookie's value is decoded, as other cookies' are.",
    file: "src/session/cookie.ts",
    find: `    const value = trimBlanks(header, start, end);`,
    replace: `    const value = decodeURIComponent(trimBlanks(header, start, end));`,
    in: "tests/guarantees/identifiers.test.ts",
    test: "G1: a Cookie header that was tampered with opens the session that it names exactly, or none; a malformed id is not looked up",
  },
  {
    what: "Whatever has the length of an id is looked up.",
    file: "src/session/id.ts",
    find: `  return ID_PATTERN.test(value);`,
    replace: `  return value.length === 43;`,
    in: "tests/guarantees/identifiers.test.ts",
    test: "G1: a Cookie header that was tampered with opens the session that it names exactly, or none; a malformed id is not looked up",
  },
  {
    what: "Quotes around a cookie's value are taken away.",
    file: "src/session/cookie.ts",
    find: `    const value = trimBlanks(header, start, end);`,
    replace: `    const value = trimBlanks(header, start, end).replace(/^"(.*)"$/, "$1");`,
    in: "tests/guarantees/identifiers.test.ts",
    test: "G1: a Cookie header that was tampered with opens the session that it names exactly, or none; a malformed id is not looked up",
  },
  {
    what: "SQLite compares the beginnings of ids.",
    file: "src/backends/sqlite/statements.ts",
    find: `  const isId = eq(sessions.id, value("id"));`,
    replace: `  const isId = sql\`substr(\${sessions.id}, 1, 2) = substr(\${value("id")}, 1, 2)\`;`,
    in: "tests/guarantees/identifiers.test.ts",
    test: "G2: an id that differs from a live one in one character opens nothing in SQLite",
  },
  {
    rule: "G4",
    what: "A commit is put off for a moment, so that more writes fit into it.",
    file: "src/backends/sqlite/group-commit.ts",
    find: `      this.#client.run("COMMIT");`,
    replace: `      setTimeout(() => this.#client.run("COMMIT"), 5);`,
    in: "tests/backends/sqlite/group-commit.test.ts",
    test: "acknowledges each write after the commit",
  },
  {
    rule: "G4",
    what: "One write that cannot be done fails those beside it.",
    file: "src/backends/sqlite/group-commit.ts",
    find: `      if (writes.length === 1) writes[0]?.reject(error);
      else for (const write of writes) this.#transactAlone(write);`,
    replace: `      for (const write of writes) write.reject(error);`,
    in: "tests/backends/sqlite/group-commit.test.ts",
    test: "does not fail a write because of a bad one beside it",
  },
  {
    what: "A write that another process was faster than is not tried again.",
    file: "src/session/writer.ts",
    find: `    if (!isDone || from.at !== "store") return undefined;`,
    replace: `    if (from.at !== "store") return undefined;`,
    in: "tests/guarantees/one-port.test.ts",
    test: "G6: 100 users who wander between two servers over one SQLite store lose nothing, and a logout holds on both at once",
  },
  {
    rule: "G6",
    what: "What is done to one session is not done one after the other.",
    file: "src/store/keyed-queue.ts",
    find: `    const running = tail.then(`,
    replace: `    const running = Promise.resolve().then(`,
    in: "tests/store/keyed-queue.test.ts",
    test: "runs the tasks of one key one after the other, in the order of asking",
  },
  {
    what: "A write on SQLite does not ask for the version that it was made from.",
    file: "src/backends/sqlite/statements.ts",
    find: `and(isId, isLive, eq(sessions.version, value("was")))`,
    replace: `and(isId, isLive)`,
    in: "tests/guarantees/races.test.ts",
    test: "G6: two requests at once that set two keys lose neither: SqliteSessionBackend",
  },
  {
    what: "What another request has changed is overwritten, if it is another key.",
    file: "src/session/writer.ts",
    find: `  return current === base ? contents : mergeContents(base, contents, current);`,
    replace: `  return contents;`,
    in: "tests/guarantees/races.test.ts",
    test: "G6: two requests at once that set two keys lose neither: InMemorySessionBackend",
  },
  {
    what: "A new id is one more id.",
    file: "src/backends/memory/backend.ts",
    find: `    this.#remove(entry);
    const note = { supersededBy: newId, expiresAt: this.now() + NOTE_LIFETIME };
    this.#add(new Entry(oldId, note), countBytes(oldId, note));
`,
    replace: ``,
    in: "tests/guarantees/interleavings.test.ts",
    test: "G7: requests that overlap bring nothing back, see nothing stale and lose nothing: two managers of one InMemorySessionBackend",
  },
  {
    what: "A write on SQLite is acknowledged while it waits for its transaction.",
    file: "src/backends/sqlite/group-commit.ts",
    find: `    this.#writes.push(write);`,
    replace: `    this.#writes.push(write);
    write.resolve(true);`,
    in: "tests/guarantees/interleavings.test.ts",
    test: "G7: requests that overlap bring nothing back, see nothing stale and lose nothing: two SqliteSessionBackends on one file",
  },
  {
    rule: "G7",
    what: "A request relies on a touch that it has not waited for.",
    file: "src/session/writer.ts",
    find: `    if (record.remember === null) return { ...from, record };`,
    replace: `    if (record.remember === null) {
      return { ...from, record: { ...record, version: record.version + 1 } };
    }`,
    in: "tests/session/manager.test.ts",
    test: "that is late lets no later write of its request run over another request's",
  },
  {
    what: "What a save() under way stores outlives the destroy() that came after it.",
    file: "src/session/open-session.ts",
    find: `    this.destroyed = [...this.destroyed, this.life];`,
    replace: `    if (this.life.place.at === "store") this.destroyed = [...this.destroyed, this.life];`,
    in: "tests/session/manager-overlap.test.ts",
    test: "L6: destroy() leaves nothing of a session",
  },
  {
    rule: "G7",
    what: "A page that only reads sends its cookie again, over that of a login meanwhile.",
    file: "src/session/writer.ts",
    find: `      if (isDone === undefined) return from;
      return isDone ? { ...from, record } : toEnded(from);`,
    replace: `      return isDone === undefined ? from : { ...from, record };`,
    in: "tests/session/manager.test.ts",
    test: "the cookie is not sent again where another request changed the id meanwhile: one that reads",
  },
  {
    rule: "G7",
    what: "Where a handler has stored something on its way, the cookie is not renewed at its end.",
    file: "src/session/manager.ts",
    find: `restarts: isOwed ? "always" : "due" };`,
    replace: `restarts: "due" };`,
    in: "tests/session/manager.test.ts",
    test: "the cookie is sent again by a request that stored something on its way",
  },
  {
    rule: "G16",
    what: "A remembered session's cookie is renewed before the touch has come through.",
    file: "src/session/writer.ts",
    find: `    if (record.remember === null) return { ...from, record };`,
    replace: `    if (record.remember === null || touched !== undefined) return { ...from, record };`,
    in: "tests/session/manager.test.ts",
    test: "the cookie is not sent again where the session's time ran out meanwhile",
  },
  {
    rule: "G7",
    what: "A login is taken for stored when something before it was.",
    file: "src/session/open-session.ts",
    find: `      if (life.renewal === done || life.renewal?.kind === "regenerate") life.renewal = undefined;`,
    replace: `      if (done !== undefined || life.renewal !== undefined) life.renewal = undefined;`,
    in: "tests/session/manager-overlap.test.ts",
    test: "login() while a new id is being saved is recorded",
  },
  {
    rule: "G7",
    what: "What a handler leaves behind comes between the steps of the commit.",
    file: "src/session/manager.ts",
    find: `    return open.turn === undefined
      ? this.#hold(open, this.#settle(open, status))
      : this.#inTurn(open, () => this.#settle(open, status));`,
    replace: `    return this.#settle(open, status);`,
    in: "tests/session/manager-overlap.test.ts",
    test: "a save() is stored in the session that the response hands out",
  },
  {
    what: "Anonymous sessions are given up only when there are twice as many as allowed.",
    file: "src/backends/memory/backend.ts",
    find: `this.#entries.size + entries <= this.#maxSessions && this.#bytes`,
    replace: `this.#entries.size + entries <= this.#maxSessions * 2 && this.#bytes`,
    in: "tests/guarantees/floods.test.ts",
    test: "G8: a handler that always writes fills the store in memory to its limit, and no further",
  },
  {
    rule: "G9",
    what: "All that has expired is removed in one go.",
    file: "src/store/sweeper.ts",
    find: `const SWEEP_BATCH = 30;`,
    replace: `const SWEEP_BATCH = 1_000_000;`,
    in: "tests/session/manager.test.ts",
    test: "goes in batches of 30, and lets others have a turn between them",
  },
  {
    rule: "G11",
    what: "SQLite waits for the lock inside the call, and everybody with it.",
    file: "src/backends/sqlite/database.ts",
    find: `    client.run("PRAGMA busy_timeout = 0");`,
    replace: ``,
    in: "tests/backends/sqlite/database.test.ts",
    test: "never lets SQLite itself wait for a lock once it is open",
  },
  {
    rule: "G11",
    what: "A write-ahead log that has filled the disk is left to a commit that cannot come.",
    file: "src/backends/sqlite/repair.ts",
    find: `  if (code === "SQLITE_FULL" || code === "SQLITE_IOERR_WRITE") return emptyLog(client);`,
    replace: ``,
    in: "tests/backends/sqlite/repair.test.ts",
    test: "a log that has filled the disk under a long reader is moved into the file once the reader is gone",
  },
  {
    rule: "G11",
    what: "A table that was dropped stays so.",
    file: "src/backends/sqlite/repair.ts",
    find: `  restoreTable(client, table);
`,
    replace: ``,
    in: "tests/backends/sqlite/repair.test.ts",
    test: "is created again once, for all processes, with its migrations",
  },
  {
    what: "The umask decides who may read a new SQLite file.",
    file: "src/backends/sqlite/database.ts",
    find: `    if (path !== ":memory:") createPrivately(path);
`,
    replace: ``,
    in: "tests/backends/sqlite/database.test.ts",
    test: "I7: -wal and -shm included",
  },
  {
    rule: "G12",
    what: "A service that is told to end cuts off what is under way.",
    file: "src/app/lifecycle.ts",
    find: `server?.stop();`,
    replace: `server?.stop(true);`,
    in: "tests/app/lifecycle.test.ts",
    test: "ends on SIGTERM when the request under way is answered",
  },
  {
    rule: "G12",
    what: "A service that is told to end closes connections on which a request has arrived.",
    file: "src/app/lifecycle.ts",
    find: `  await waitUntilQuiet(service);
`,
    replace: ``,
    in: "tests/app/lifecycle.test.ts",
    test: "ends connections with their next response, so that nobody sends another there",
  },
  {
    what: "A client is not told that the server is about to close its connection.",
    file: "src/app/lifecycle.ts",
    find: `  service.endConnections();
  if`,
    replace: `  if`,
    in: "tests/guarantees/shutdown.test.ts",
    test: "G12: SIGTERM under load cuts no request and loses no change, under listen()",
  },
  {
    rule: "G12",
    what: "An app that is mounted elsewhere does not wait for its requests when it ends.",
    file: "src/app/lifecycle.ts",
    find: `  else await within(service.shutdownTimeout, service.idle());`,
    replace: ``,
    in: "tests/app/ways.test.ts",
    test: "ends streams and sockets at once, then what is under way, then itself",
  },
  {
    what: "A new id and the end of the old one are two commits.",
    file: "src/backends/sqlite/writes.ts",
    find: `    if (rotate.run(values) === 0) return false;
`,
    replace: `    setTimeout(() => remove.run({ id: oldId }), 20);
    if (values.id !== newId) return this.create(newId, record);
`,
    in: "tests/guarantees/crashes.test.ts",
    test: "G4: what was acknowledged is there after a SIGKILL, and what was ended stays ended",
  },
  {
    what: "Each write of a turn is a commit of its own.",
    file: "src/backends/sqlite/group-commit.ts",
    find: `    const results = this.#commit(() => writes.map((write) => write.run()));`,
    replace: `    const results = writes.map((write) => this.#commit(write.run));`,
    in: "tests/guarantees/crashes.test.ts",
    test: "G5: a log that is cut at any byte leaves the sessions as of one commit",
  },
  {
    rule: "G11",
    what: "Pages of the database are kept in memory, damaged or not.",
    file: "src/backends/sqlite/repair.ts",
    find: `    client.run("PRAGMA shrink_memory");`,
    replace: ``,
    in: "tests/backends/sqlite/backend.test.ts",
    test: "S7: a page that was damaged is read anew, and no longer from memory, once it is restored",
  },
  {
    what: "A write goes on when its load has come after all, however late.",
    file: "src/store/keyed-queue.ts",
    find: `    if (this.#isLate) throw`,
    replace: `    if (this.#isLate && this.#timeout === 0) throw`,
    in: "tests/store/load-save-store.test.ts",
    test: "S7: changes nothing that was acknowledged since",
  },
  {
    what: "What a session holds is copied key by key, as plain objects are.",
    file: "src/session/json.ts",
    find: `    if (key === "__proto__") return JSON.stringify({ ...dictionary });
`,
    replace: ``,
    in: "tests/guarantees/data.test.ts",
    test: "G13: what a session holds comes back as it was, hostile keys and values included",
  },
  {
    what: "A session ends by its row, whatever stands there.",
    file: "src/store/record.ts",
    find: `    Number.isFinite(expiresAt) &&
`,
    replace: ``,
    in: "tests/guarantees/data.test.ts",
    test: "G13: a damaged row is no session and an event, and no page fails because of it",
  },
  {
    rule: "G14",
    what: "A segment is decoded until nothing is left to decode.",
    file: "src/app/pattern-tree.ts",
    find: `    return segments.map(decodeURIComponent);`,
    replace: `    return segments.map(decodeURIComponent).map(decodeURIComponent);`,
    in: "tests/guarantees/dispatch.test.ts",
    test: "D1: a name from the wire reaches nothing but pages > G14: a path reaches the page whose name it spells, and nothing else that the app or the language holds",
  },
  {
    rule: "G14",
    what: "A page's name may be written in letters that look the same.",
    file: "src/app/pattern-tree.ts",
    find: `  const literal = node.literals.get(segment);`,
    replace: `  const literal = node.literals.get(segment.normalize("NFKC"));`,
    in: "tests/guarantees/dispatch.test.ts",
    test: "D1: a name from the wire reaches nothing but pages > G14: a path reaches the page whose name it spells, and nothing else that the app or the language holds",
  },
  {
    what: "Requests of one session wait for each other.",
    file: "src/http/sessions.ts",
    find: `        const answer = handler(request, open.session, ...rest);`,
    replace: `        const turns = ((this as { turns?: Map<string, Promise<unknown>> }).turns ??= new Map());
        const { place } = open.life;
        const key = place.at === "store" ? place.key : String(Math.random());
        const before = turns.get(key) ?? Promise.resolve();
        const answer = before.then(() => handler(request, open.session, ...rest));
        turns.set(key, answer.catch(() => undefined));`,
    in: "tests/guarantees/slow-clients.test.ts",
    test: "G20: a request that takes its time delays no other request of its session, and keeps what it changed",
  },
  {
    rule: "G16",
    what: "The idle timeout may reach beyond the absolute lifetime.",
    file: "src/session/lifetimes.ts",
    find: `    return Math.min(now + this.#idleTimeout(record), record.createdAt + this.#lifetime);`,
    replace: `    return now + this.#idleTimeout(record);`,
    in: "tests/session/manager.test.ts",
    test: "the cookie does not promise more than the absolute lifetime",
  },
  {
    what: "The end of a session's lifetime moves with its use.",
    file: "src/session/lifetimes.ts",
    find: `    return { ...record, touchedAt: now, expiresAt: this.#expiry(record, now) };`,
    replace: `    const used = { ...record, createdAt: now, touchedAt: now };
    return { ...used, expiresAt: this.#expiry(used, now) };`,
    in: "tests/guarantees/clocks.test.ts",
    test: "G16: sessions end when their idle timeout or absolute lifetime is over, and no sooner: InMemorySessionBackend",
  },
  {
    what: "A session is stored for the whole seconds that it has left.",
    file: "src/store/load-save-store.ts",
    find: `Math.ceil((record.expiresAt - this.now()) / 1000)`,
    replace: `Math.floor((record.expiresAt - this.now()) / 1000)`,
    in: "tests/guarantees/clocks.test.ts",
    test: "G16: sessions end when their idle timeout or absolute lifetime is over, and no sooner: a synchronous load and save",
  },
  {
    rule: "G20",
    what: "A failure on one session holds up what comes after it.",
    file: "src/store/keyed-queue.ts",
    find: `    running.then(settle, settle);`,
    replace: `    running.then(settle).catch(() => undefined);`,
    in: "tests/store/keyed-queue.test.ts",
    test: "goes on after a task that failed, whose error only its own caller sees",
  },
  {
    what: "A session that changes hands on SQLite leaves its messages behind.",
    file: "src/backends/sqlite/statements.ts",
    find: `    flash: sql\`\${value("flash")}\`,`,
    replace: `    flash: sql\`NULL\`,`,
    in: "tests/guarantees/contract.test.ts",
    test: "G21: a store answers so on the system's clock too: SqliteSessionBackend",
  },
  {
    what: "An id that was destroyed stays so, even for who creates it anew.",
    file: "src/store/load-save-store.ts",
    find: `        this.#ended.delete(id);`,
    replace: ``,
    in: "tests/guarantees/contract.test.ts",
    test: "G21: a store made of two methods answers alike: an asynchronous load and save",
  },
  {
    what: "A session that somebody else prolongs is taken for expired.",
    file: "src/session/watch.ts",
    find: `    if (expired.length > 0) void this.#readOnce(expired);`,
    replace: `    for (const key of expired) this.#list.end(key, "expired");`,
    in: "tests/session/watch.test.ts",
    test: "X6: reads again before it calls a session expired that was used elsewhere",
  },
  {
    what: "A handler that gives its own session a new id is told that it has ended.",
    file: "src/session/watchlist.ts",
    find: `        await Promise.allSettled([watched.open.turn]);
`,
    replace: ``,
    in: "tests/session/watch.test.ts",
    test: "X6: goes on with a session whose own rotation shows in the store before it is answered",
  },
  {
    what: "What another process writes to an SQLite file goes unnoticed.",
    file: "src/backends/sqlite/backend.ts",
    find: `    return readDataVersion(this.#client);`,
    replace: `    return 0 * readDataVersion(this.#client);`,
    in: "tests/guarantees/live-revocation.test.ts",
    test: "a socket of another process, on SQLite > X6: is closed when its session ends here, by notice alone",
  },
  // Streams and sockets.
  {
    rule: "streams",
    what: "A generator begins before its session is stored.",
    file: "src/app/live-body.ts",
    find: `    return new ReadableStream(this, { highWaterMark: 0 });`,
    replace: `    return new ReadableStream(this);`,
    in: "tests/app/stream.test.ts",
    test: "begins when the session is stored, and can save and update it then",
  },
  {
    rule: "streams",
    what: "A generator that fails ends its response as if that were whole.",
    file: "src/app/live-body.ts",
    find: `    this.#stream?.error(this.#host?.server === undefined ? reason : undefined);`,
    replace: `    this.#stream?.close();`,
    in: "tests/app/stream.test.ts",
    test: "that fails cuts the connection, and is reported",
  },
  {
    rule: "streams",
    what: "A generator whose reader has gone is left as it is.",
    file: "src/app/live-body.ts",
    find: `    stop().catch((error: unknown) => this.#fail(error));`,
    replace: `    void stop;`,
    in: "tests/app/stream.test.ts",
    test: "runs its `finally` when the client disappears, once what it waits for is there",
  },
  {
    rule: "streams",
    what: "Only line feeds are kept out of an event's fields.",
    file: "src/app/event-stream.ts",
    find: `  if (!/[\\0\\r\\n]/.test(text)) return text;`,
    replace: `  if (!/[\\n]/.test(text)) return text;`,
    in: "tests/app/event-stream.test.ts",
    test: "ends at a carriage return in an id, and reports it",
  },
  {
    rule: "G12",
    what: "Streams and sockets are left open when the service ends.",
    file: "src/app/app.ts",
    find: `        site.live.endAll();
`,
    replace: ``,
    in: "tests/app/live.test.ts",
    test: "an app that is told to end, of live-listening.ts > ends its streams and sockets at once on SIGTERM, and waits for none of them",
  },
  {
    what: "A socket outlives its session.",
    file: "src/app/socket-connection.ts",
    find: `      onSessionEnd(this.#host, (reason) => this.close(4401, \`The session has ended: \${reason}.\`)),
`,
    replace: ``,
    in: "tests/app/sockets.test.ts",
    test: "the session of a socket > X6: closes it with 4401 when it is destroyed",
  },
  {
    what: "A socket's page writes its session when it ends.",
    file: "src/app/sockets.ts",
    find: `    () => connection.finish(),`,
    replace: `    () => {
      if (connection.isOpen) void visit.request.session.save();
      connection.finish();
    },`,
    in: "tests/app/sockets.test.ts",
    test: "X7: is not written when the page ends, unless that says so",
  },
  {
    what: "A message may be as large as Bun takes it.",
    file: "src/app/sockets.ts",
    find: `    maxPayloadLength: maxMessageBytes,
`,
    replace: ``,
    in: "tests/app/sockets.test.ts",
    test: "X8: is 64 KiB at most",
  },
  {
    what: "What nobody reads is kept.",
    file: "src/app/socket-connection.ts",
    find: `    } else this.close(1013, "The page does not read messages.");`,
    replace: `    }`,
    in: "tests/app/sockets.test.ts",
    test: "X8: is bounded where the page does not read",
  },
  {
    what: "A client that is too far behind misses messages, and is not told.",
    file: "src/app/sockets.ts",
    find: `    closeOnBackpressureLimit: true,
`,
    replace: ``,
    in: "tests/app/sockets.test.ts",
    test: "X8: disconnects a client that is too far behind, where the page does not wait",
  },
  {
    rule: "sockets",
    what: "A socket stays open when its page has failed.",
    file: "src/app/socket-connection.ts",
    find: `    this.#closeWhenOpen(1011, "Something went wrong on this server.");
`,
    replace: ``,
    in: "tests/app/sockets.test.ts",
    test: "a socket's page > that fails closes its socket with 1011, and is reported",
  },
  ...(redis.isThere && hasRedisServer ? REDIS_FAULTS : []),
  ...(postgres.isThere ? POSTGRES_FAULTS : []),
];

/** The mistakes, each with what it breaks. */
export const FAULTS: readonly Fault[] = SEEDED.map((fault) =>
  Object.assign({ rule: claimOf(fault.test) }, fault),
);

/** What comes before the colon of a test's name, or its block's: of several rules, the first. */
function claimOf(name: string): string {
  const [claim = ""] = name.split(" > ").flatMap((part) => /^(.+?): /.exec(part)?.[1] ?? []);
  return claim.replace(/^([A-Z]\d+), .*/, "$1");
}
