import { postgres } from "../support/postgres.ts";
import { hasRedisServer } from "../support/redis-server.ts";
import { redis } from "../support/redis.ts";
import { POSTGRES_FAULTS } from "./seeded-faults-postgres.ts";
import { REDIS_FAULTS } from "./seeded-faults-redis.ts";

/** A mistake that somebody could make in good faith, and the test that would tell them. */
export interface Fault {
  /** What it breaks: a rule, a figure, or something that was seen elsewhere. */
  readonly rule: string;
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

/** The mistakes: at least one for each rule, and one for each failure that was seen elsewhere. */
export const FAULTS: readonly Fault[] = [
  // Identifiers.
  {
    rule: "I1",
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
    rule: "I2",
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
    rule: "I3",
    what: "To destroy a session in memory empties it, and its id goes on.",
    file: "src/backends/memory/backend.ts",
    find: `    if (entry !== undefined) this.#remove(entry);`,
    replace: `    if (entry !== undefined) this.#put(entry, { ...entry.record, data: "{}", flash: null });`,
    in: "tests/session/manager.test.ts",
    test: "I3: an id that was ended is not adopted, and a new one is set",
  },
  {
    rule: "I4",
    what: "An id may end with any letter, so that four texts are one id.",
    file: "src/session/id.ts",
    find: `/^[A-Za-z0-9_-]{42}[AEIMQUYcgkosw048]$/`,
    replace: `/^[A-Za-z0-9_-]{43}$/`,
    in: "tests/session/id.test.ts",
    test: "I4: takes one spelling of an id only: the last character's unused bits have to be 0",
  },
  {
    rule: "I4",
    what: "Of two cookies of one name, the first is taken.",
    file: "src/session/cookie.ts",
    find: `        if (found !== undefined) return "";
        found = trimBlanks(header.slice(start, end));`,
    replace: `        found ??= trimBlanks(header.slice(start, end));`,
    in: "tests/session/manager.test.ts",
    test: "I4: a doubled cookie is nobody's, even if both are the same valid id",
  },
  {
    rule: "I5",
    what: "An id in the query counts where there is no cookie.",
    file: "src/session/manager.ts",
    find: `    const id = header === null ? undefined : this.#cookie.read(header);`,
    replace: `    const id =
      (header === null ? undefined : this.#cookie.read(header)) ??
      new URL(request.url).searchParams.get(this.#cookie.name) ??
      undefined;`,
    in: "tests/session/manager.test.ts",
    test: "I5: an id anywhere but in the cookie is ignored",
  },
  {
    rule: "I7",
    what: "The log of a failed request has its headers.",
    file: "src/app/app.ts",
    find: `failed:", page, error);`,
    replace: `failed:", page, error, request.headers);`,
    in: "tests/app/app.test.ts",
    test: "I7: tells neither the log nor the visitor the cookie",
  },
  {
    rule: "I7",
    what: "An event carries the id, for whoever looks into it.",
    file: "src/session/manager.ts",
    find: `      this.#events.emit({ type: "created", handle: key, userId: record.userId });`,
    replace: `      this.#events.emit({ type: "created", handle: id, userId: record.userId });`,
    in: "tests/session/manager.test.ts",
    test: "I7: what is stored, reported and answered holds no id, and a stored hash opens nothing",
  },
  {
    rule: "I8",
    what: "A new row takes the place of one with the same id, on SQLite.",
    file: "src/backends/sqlite/statements.ts",
    find: `        set: contents,
        setWhere: lte(sessions.expiresAt, value("now")),`,
    replace: `        set: contents,`,
    in: "tests/session/manager.test.ts",
    test: "I8: with a generator that repeats itself, nobody's session is opened: SqliteSessionBackend",
  },

  // The cookie.
  {
    rule: "C1",
    what: "The cookie is Secure in production only.",
    file: "src/session/cookie.ts",
    find: `      secure = true,`,
    replace: `      secure = process.env["NODE_ENV"] === "production",`,
    in: "tests/session/cookie.test.ts",
    test: "C1: is HttpOnly, Secure, SameSite=Lax and Path=/, and ends with the browser",
  },
  {
    rule: "C1",
    what: "What the options say of HttpOnly counts.",
    file: "src/session/cookie.ts",
    find: `    const attributes = { ...this.#attributes, ...lifetime, httpOnly: true };`,
    replace: `    const attributes = { ...this.#attributes, ...lifetime };`,
    in: "tests/session/cookie.test.ts",
    test: "C1: is HttpOnly whatever the options say",
  },
  {
    rule: "C2",
    what: "A prefix counts only in the letters that its standard has.",
    file: "src/session/cookie.ts",
    find: `  const host = lowered.startsWith("__host-");`,
    replace: `  const host = name.startsWith("__Host-");`,
    in: "tests/session/cookie.test.ts",
    test: 'C2: refuses {"name":"__hOsT-sid","path":"/shop"}, and says what to do: has to have the path "/"',
  },
  {
    rule: "C6",
    what: "A path may hold whatever is no semicolon.",
    file: "src/session/cookie.ts",
    find: String.raw`/^\/[\x21-\x3a\x3d-\x7e]*$/`,
    replace: String.raw`/^\/[^;]*$/`,
    in: "tests/session/cookie.test.ts",
    test: "C6: refuses a character in `path`, or sends it as it is",
  },
  {
    rule: "C7",
    what: "The session's cookie is set beside one of that name which the app has set.",
    file: "src/session/headers.ts",
    find: `  const others = headers.getSetCookie().filter((line) => !line.startsWith(\`\${cookieName}=\`));`,
    replace: `  const others = headers.getSetCookie();`,
    in: "tests/app/app.test.ts",
    test: "C7: of the session's name is the session's own",
  },
  {
    rule: "C7",
    what: "Cookies of the app's own are joined into one line.",
    file: "src/session/headers.ts",
    find: `  for (const line of others) headers.append("set-cookie", line);`,
    replace: `  if (others.length > 0) headers.set("set-cookie", others.join(", "));`,
    in: "tests/session/headers.test.ts",
    test: "C7: leaves the app's own cookies, each on a line of its own, and replaces only its own",
  },
  {
    rule: "C9",
    what: "The cookie is cleared by its name and path alone.",
    file: "src/session/cookie.ts",
    find: `    return this.#line("", 0);`,
    replace: `    return \`\${this.name}=; Path=/; Max-Age=0\`;`,
    in: "tests/session/manager.test.ts",
    test: "C9: destroyed: deleted, and the cookie cleared with the attributes it was set with",
  },
  {
    rule: "C10",
    what: "Cookies may stand behind a comma, as they once could.",
    file: "src/session/cookie.ts",
    find: `  return before < 0 || header[before] === ";";`,
    replace: `  return before < 0 || header[before] === ";" || header[before] === ",";`,
    in: "tests/session/cookie.test.ts",
    test: "C10: does not find it in a comma before it",
  },
  {
    rule: "C15",
    what: "The cookie of a remembered session is sent with every page.",
    file: "src/session/manager.ts",
    find: `    if (touched === record) return;`,
    replace: `    if (record.remember !== null) open.cookie = "set";
    if (touched === record) return;`,
    in: "tests/session/manager.test.ts",
    test: "C15: the cookie is sent again when the session is touched, and only then",
  },

  // The life of a session.
  {
    rule: "L1",
    what: "The former row stays beside the one with the new id, in memory.",
    file: "src/backends/memory/backend.ts",
    find: `    this.#remove(entry);
    this.#add(new Entry(newId, record));`,
    replace: `    this.#add(new Entry(newId, record));`,
    in: "tests/session/manager.test.ts",
    test: "L1: login() changes the id, keeps the data, and the old id is dead in every process",
  },
  {
    rule: "L1",
    what: "The former row stays beside the one with the new id, on a backend of two methods.",
    file: "src/store/load-save-store.ts",
    find: `          created ? andThen(this.#erase(turn, oldId), () => true) : false,`,
    replace: `          created,`,
    in: "tests/session/manager.test.ts",
    test: "the life of a session, on an asynchronous load and save > L1: login() changes the id, keeps the data, and the old id is dead in every process",
  },
  {
    rule: "L2",
    what: "A login is stored first and renamed then.",
    file: "src/session/manager.ts",
    find: `      if (await this.#store.ask("rotate", stored.key, key, record, current.version)) {`,
    replace: `      await this.#store.ask("replace", stored.key, record, current.version);
      const next = { ...record, version: record.version + 1 };
      if (await this.#store.ask("rotate", stored.key, key, next, record.version)) {`,
    in: "tests/session/manager.test.ts",
    test: "L2: while login() runs, requests with the old id never see data from after it",
  },
  {
    rule: "L3",
    what: "A session lives a millisecond longer than it should.",
    file: "src/session/lifetimes.ts",
    find: `    return record.expiresAt <= now || record.createdAt + this.#lifetime <= now;`,
    replace: `    return record.expiresAt < now || record.createdAt + this.#lifetime < now;`,
    in: "tests/session/manager.test.ts",
    test: "L3: the idle timeout: alive at 8 h - 1 ms, dead at 8 h",
  },
  {
    rule: "L3",
    what: "A touch writes when the session was used, and not when it ends.",
    file: "src/backends/sqlite/statements.ts",
    find: `        touchedAt: sql\`\${value("now")}\`,
        expiresAt: sql\`\${value("expiresAt")}\`,
        version:`,
    replace: `        touchedAt: sql\`\${value("now")}\`,
        version:`,
    in: "tests/session/manager.test.ts",
    test: "L3: using it begins the timeout anew; load, load, dead at T",
  },
  {
    rule: "L4",
    what: "A new id begins the absolute lifetime anew, with or without a login.",
    file: "src/session/manager.ts",
    find: `        ...(login === undefined ? {} : { createdAt: now, ...factsOf(login) }),`,
    replace: `        createdAt: now,
        ...factsOf(login),`,
    in: "tests/session/manager.test.ts",
    test: "L4: login() begins the absolute lifetime anew, regenerate() does not",
  },
  {
    rule: "L4",
    what: "The idle timeout may reach beyond the absolute lifetime.",
    file: "src/session/lifetimes.ts",
    find: `    return record.expiresAt <= now || record.createdAt + this.#lifetime <= now;
  }

  /** The record with its idle timeout begun anew, within its absolute lifetime. */
  begin(now: number, record: SessionRecord): SessionRecord {
    const idle = now + this.#idleTimeout(record);
    const absolute = record.createdAt + this.#lifetime;
    return { ...record, touchedAt: now, expiresAt: Math.min(idle, absolute) };`,
    replace: `    return record.expiresAt <= now;
  }

  begin(now: number, record: SessionRecord): SessionRecord {
    return { ...record, touchedAt: now, expiresAt: now + this.#idleTimeout(record) };`,
    in: "tests/session/manager.test.ts",
    test: "L4: the absolute lifetime ends it after 30 days, however busy it is",
  },
  {
    rule: "L6",
    what: "A request that fails stores nothing, and so does not end its session either.",
    file: "src/session/manager.ts",
    find: `    if (open.doomed !== undefined) return this.#settleDoomed(open, open.doomed, status);`,
    replace: `    if (open.doomed !== undefined && status < 500) {
      return this.#settleDoomed(open, open.doomed, status);
    }`,
    in: "tests/session/manager.test.ts",
    test: "L6: a handler that destroys the session and then throws has destroyed it",
  },
  {
    rule: "L6",
    what: "A write that finds its session gone begins it anew.",
    file: "src/session/manager.ts",
    find: `    if (next === undefined) return this.#drop(open, stored.key);
    this.#adopt(open, stored, next, mine);`,
    replace: `    if (next === undefined) return this.#create(open, mine);
    this.#adopt(open, stored, next, mine);`,
    in: "tests/session/manager-overlap.test.ts",
    test: "L6: a write that ends after destroy() does not bring the session back, and says so",
  },
  {
    rule: "L6",
    what: "What a backend of two methods still has is taken for alive, destroyed or not.",
    file: "src/store/load-save-store.ts",
    find: `    if (this.#destroyed.has(id)) return undefined;`,
    replace: ``,
    in: "tests/store/load-save-store.test.ts",
    test: "L6: keeps a destroyed session destroyed, even where something else saves it again",
  },
  {
    rule: "L7",
    what: "A user's sessions in memory are removed from the list that is being walked.",
    file: "src/backends/memory/backend.ts",
    find: `    const entries = [...(this.#users.get(userId) ?? [])];
    let count = 0;`,
    replace: `    const entries = this.#users.get(userId) ?? [];
    let count = 0;`,
    in: "tests/session/manager.test.ts",
    test: "L7: revokeAll() ends all of the user's and no other's, and says how many",
  },
  {
    rule: "L7",
    what: "All of a user's rows are deleted, the one to be left alone with them.",
    file: "src/backends/sqlite/statements.ts",
    find: `    removeAll: db.delete(sessions).where(and(isUsers, isOther)).prepare(),`,
    replace: `    removeAll: db.delete(sessions).where(isUsers).prepare(),`,
    in: "tests/session/manager.test.ts",
    test: "L7: revokeAll() leaves the session that it is told to leave alone",
  },
  {
    rule: "L9",
    what: "What has expired is left to the sweeper.",
    file: "src/session/manager.ts",
    find: `    if (this.#lifetimes.isOver(record, now)) {
      this.#events.emit({ type: "expired", handle: key });
      return new OpenSession(this.#io);
    }
`,
    replace: ``,
    in: "tests/backends/sqlite/backend.test.ts",
    test: "L9: a row that has expired is rejected while nothing sweeps",
  },
  {
    rule: "L10",
    what: "To destroy a session clears the cookie, whether there was one or not.",
    file: "src/session/session.ts",
    find: `    if (this.#stored !== undefined) this.doomed = this.#stored;`,
    replace: `    if (this.#stored !== undefined) this.doomed = this.#stored;
    this.cookie = "clear";`,
    in: "tests/session/manager.test.ts",
    test: "L10: new, no data: nothing is stored and no cookie is set, whatever was read or destroyed",
  },

  // Caching.
  {
    rule: "K1",
    what: "What the app says of caches is left as it is.",
    file: "src/session/headers.ts",
    find: `  headers.set("cache-control", "no-store");`,
    replace: `  if (asked === null) headers.set("cache-control", "no-store");`,
    in: "tests/session/headers.test.ts",
    test: 'K1: overrides "public, max-age=60", with a warning',
  },
  {
    rule: "K2",
    what: "A response varies by the cookie only if it sets it.",
    file: "src/session/manager.ts",
    find: `      this.addCookie(open.touched ? withVary(response) : response, setCookie),`,
    replace: `      this.addCookie(setCookie === undefined ? response : withVary(response), setCookie),`,
    in: "tests/session/manager.test.ts",
    test: "K2: in makes the response vary, and no more than that",
  },
  {
    rule: "K2",
    what: "What a response varies by already is forgotten.",
    file: "src/session/headers.ts",
    find: `headers.set("vary", \`\${vary}, Cookie\`);`,
    replace: `headers.set("vary", "Cookie");`,
    in: "tests/session/headers.test.ts",
    test: 'K2: makes of Vary "Accept" "Accept, Cookie"',
  },
  {
    rule: "K3",
    what: "A Response of the app's own, such as a redirect, does not vary.",
    file: "src/app/response.ts",
    find: `  if (value instanceof Response) return varies ? withVary(value) : value;`,
    replace: `  if (value instanceof Response) return value;`,
    in: "tests/app/app.test.ts",
    test: "redirect > K3: GET that reads the session varies",
  },

  // Other sites' pages.
  {
    rule: "X2",
    what: "Pages of sister sites are taken for the app's own.",
    file: "src/app/cross-origin.ts",
    find: `      : site === "same-origin" || site === "none";`,
    replace: `      : site === "same-origin" || site === "same-site" || site === "none";`,
    in: "tests/app/cross-origin.test.ts",
    test: "X2: refuses a same-site Sec-Fetch-Site",
  },
  {
    rule: "X2",
    what: "Only forms that are posted are looked at.",
    file: "src/app/cross-origin.ts",
    find: `  return method === "GET" || method === "HEAD" || method === "OPTIONS";`,
    replace: `  return method !== "POST";`,
    in: "tests/app/cross-origin.test.ts",
    test: "refuseCrossOrigin on /verbs > DELETE > X2: refuses a cross-site Sec-Fetch-Site",
  },

  // Elysia and Hono.
  {
    rule: "S8",
    what: "Elysia's answer to what was thrown is taken for the page's own.",
    file: "src/integrations/elysia.ts",
    find: `failure === undefined ? response.status : 500`,
    replace: `response.status`,
    in: "tests/integrations/elysia.test.ts",
    test: "S8: nothing is stored for > a status that is thrown",
  },
  {
    rule: "K2",
    what: "Every response behind the plugin varies, whether its session was read or not.",
    file: "src/integrations/elysia.ts",
    find: `open.touched ? withVary(response) : response`,
    replace: `withVary(response)`,
    in: "tests/integrations/elysia.test.ts",
    test: "K2: costs a route that leaves it alone the look-up, and no Vary",
  },
  {
    rule: "C9",
    what: "The cookie that is carried by @elysiajs/cookie loses its domain on the way.",
    file: "src/integrations/elysia.ts",
    find: `domain: domain ?? undefined, `,
    replace: ``,
    in: "tests/integrations/elysia.test.ts",
    test: "C9: is set and cleared with the same attributes, of a domain and for embedding sites",
  },
  {
    rule: "S7",
    what: "Hono puts the headers of a success on the response that says there was none.",
    file: "src/integrations/hono.ts",
    find: `  withdraw(c);
  c.res = response;`,
    replace: `  c.res = response;`,
    in: "tests/integrations/scenarios.test.ts",
    test: "Hono, as a function > S7: a session that could not be stored has no cookie, and nothing claims that it was",
  },
  {
    rule: "S8",
    what: "Hono's answer to what was thrown is taken for the page's own.",
    file: "src/integrations/hono.ts",
    find: `c.error === undefined ? c.res.status : 500`,
    replace: `c.res.status`,
    in: "tests/integrations/hono.test.ts",
    test: "S8: an error that `onError` answers with success is an error all the same",
  },

  // WebSockets.
  {
    rule: "X5",
    what: "A handshake stores the session, and keeps its cookie to itself.",
    file: "src/session/manager.ts",
    find: `    return setCookie === undefined ? {} : { "set-cookie": setCookie };`,
    replace: `    return setCookie === undefined ? {} : {};`,
    in: "tests/session/manager-upgrade.test.ts",
    test: "X5: hands out a new session's cookie with the 101, and the session is stored by then",
  },

  // Storage and failure.
  {
    rule: "S1",
    what: "Copies of a session's data have a prototype.",
    file: "src/session/json.ts",
    find: `  return Object.assign(Object.create(null), source) as Record<string, unknown>;`,
    replace: `  return Object.assign({}, source) as Record<string, unknown>;`,
    in: "tests/session/session.test.ts",
    test: "S1: gives the function a dictionary in which __proto__ is a key",
  },
  {
    rule: "S2",
    what: "A list in place of a dictionary passes for an empty one.",
    file: "src/store/backend.ts",
    find: `    return typeof value === "object" && value !== null && !Array.isArray(value)`,
    replace: `    return typeof value === "object" && value !== null`,
    in: "tests/session/json.test.ts",
    test: 'S2: gives undefined for "[]", which is no dictionary',
  },
  {
    rule: "S2",
    what: "A row that is no JSON is an error.",
    file: "src/store/backend.ts",
    find: `  } catch {
    return undefined;`,
    replace: `  } catch (cause) {
    throw new Error("The stored session cannot be read.", { cause });`,
    in: "tests/session/json.test.ts",
    test: 'S2: gives undefined for "{", which is no dictionary',
  },
  {
    rule: "S3",
    what: "Characters are counted for bytes.",
    file: "src/session/manager.ts",
    find: `    const bytes = Buffer.byteLength(data) + (flash === null ? 0 : Buffer.byteLength(flash));`,
    replace: `    const bytes = data.length + (flash?.length ?? 0);`,
    in: "tests/session/manager.test.ts",
    test: "S3: counts bytes, not characters, and flash messages too",
  },
  {
    rule: "S4",
    what: "A Date is stored, and comes back as a text.",
    file: "src/session/json.ts",
    find: `  if (ancestors.includes(value)) {`,
    replace: `  if (value instanceof Date) return undefined;
  if (ancestors.includes(value)) {`,
    in: "tests/session/json.test.ts",
    test: "S4: refuses a Date and names its key path",
  },
  {
    rule: "S5",
    what: "A user's name is pasted into SQL.",
    file: "src/backends/sqlite/backend.ts",
    find: `    return this.#commits.read(() => this.#statements.list.all({ userId, now: this.now() }));`,
    replace: `    const columns =
      "id AS handle, user_id AS userId, created_at AS createdAt, touched_at AS touchedAt, " +
      "expires_at AS expiresAt, authenticated_at AS authenticatedAt";
    const where = "user_id = '" + userId + "' AND expires_at > " + this.now();
    const query = "SELECT " + columns + " FROM bunpie_sessions WHERE " + where;
    return this.#commits.read(() => this.#client.query(query).all() as SessionInfo[]);`,
    in: "tests/backends/sqlite/backend.test.ts",
    test: `S5: takes text that looks like SQL for text: "' OR 1=1 --"`,
  },
  {
    rule: "S7",
    what: "A store that does not answer counts as one that has found nothing.",
    file: "src/store/guarded-store.ts",
    find: `        () => fail(new Error(\`No answer after \${this.#timeout} ms.\`)),`,
    replace: `        () => resolve(undefined as T),`,
    in: "tests/session/manager-failure.test.ts",
    test: "S7: is waited for 2,000 ms by default, and then it is a 503",
  },
  {
    rule: "G11",
    what: "A destroy() does not wait until its row is deleted.",
    file: "src/backends/sqlite/backend.ts",
    find: `    return this.#write([id], ["delete", id]);`,
    replace: `    this.#write([id], ["delete", id]).catch(console.error);
    return Promise.resolve();`,
    in: "tests/guarantees/outages.test.ts",
    test: "G11: what cannot be done is a 503, and all else goes on, while another process holds the database",
  },
  {
    rule: "S8",
    what: "A response of 500 stores what its handler has done.",
    file: "src/session/manager.ts",
    find: `    const committed = status >= 500 ? undefined : this.#commit(open);`,
    replace: `    const committed = status > 500 ? undefined : this.#commit(open);`,
    in: "tests/session/manager.test.ts",
    test: "S8: a handler that throws leaves the session as it was",
  },
  {
    rule: "S9",
    what: "A body is read to its end, and measured then.",
    file: "src/app/request.ts",
    find: `    if (size > limit) throw tooLarge(limit);
    if (++count`,
    replace: `    if (++count`,
    in: "tests/app/request.test.ts",
    test: "S9: stops reading at the limit",
  },
  {
    rule: "S9",
    what: "A form may have any number of fields.",
    file: "src/app/request.ts",
    find: `const MAX_FIELDS = 1000;`,
    replace: `const MAX_FIELDS = Infinity;`,
    in: "tests/app/request.test.ts",
    test: "S9: takes 1,000 pairs, and no more",
  },
  {
    rule: "S9",
    what: "An app that listens by itself leaves the limit of bodies to Bun.",
    file: "src/app/app.ts",
    find: `      maxRequestBodySize: this.#maxBodyBytes,`,
    replace: ``,
    in: "tests/guarantees/slow-clients.test.ts",
    test: "an app served as in listening.ts > S9: answers a head or a body that is too large, without an option that says so",
  },
  {
    rule: "S9",
    what: "A Content-Length is trusted that no server has checked.",
    file: "src/app/request.ts",
    find: `if (length !== null && isFromSocket) return`,
    replace: `if (length !== null) return`,
    in: "tests/app/request.test.ts",
    test: "S9: is 413 where the app replaces it by a longer one than its Content-Length says",
  },
  {
    rule: "N1",
    what: "A body is read one chunk at a time.",
    file: "src/app/request.ts",
    find: `const CHUNKS_PER_TURN = 16;`,
    replace: `const CHUNKS_PER_TURN = Infinity;`,
    in: "tests/app/request.test.ts",
    test: "N1: arrives whole, and costs at most 3 times what Bun takes to read it",
  },
  {
    rule: "N2",
    what: "A path is part of the log's format.",
    file: "src/app/app.ts",
    find: `console.error("%s failed:", page, error);`,
    replace: `console.error(page + " failed:", error);`,
    in: "tests/app/response.test.ts",
    test: "N2: logs why a page failed whose path has what looks like a format",
  },
  {
    rule: "N2",
    what: "A path is logged as it stands.",
    file: "src/app/app.ts",
    find: `escapeControls(\`\${request.method} \${pathOf(request.url)}\`);`,
    replace: `\`\${request.method} \${pathOf(request.url)}\`;`,
    in: "tests/app/response.test.ts",
    test: "N2: logs why a page failed whose path has a control character",
  },
  {
    rule: "D1",
    what: "Handlers that a field inherits answer too.",
    file: "src/app/dispatch.ts",
    find: `    const handler: unknown = Object.hasOwn(value, verb)
      ? (value as Record<string, unknown>)[verb]
      : undefined;`,
    replace: `    const handler = (value as Record<string, unknown>)[verb];`,
    in: "tests/guarantees/dispatch.test.ts",
    test: "D1: a name from the wire reaches nothing but pages > G14: a path reaches the page whose name it spells, and nothing else that the app or the language holds",
  },
  {
    rule: "D1",
    what: "Helpers whose names begin with an underscore are pages.",
    file: "src/app/dispatch.ts",
    find: `  return name !== "constructor" && !name.startsWith("_");`,
    replace: `  return name !== "constructor";`,
    in: "tests/guarantees/dispatch.test.ts",
    test: "D1: a name from the wire reaches nothing but pages > G14: a path reaches the page whose name it spells, and nothing else that the app or the language holds",
  },

  // Seen elsewhere.
  {
    rule: "Fiber CVE-2024-38513, MicroPie",
    what: "An id that is not in the store begins a session of that id.",
    file: "src/session/manager.ts",
    find: `      this.#events.emit({ type: "rejected", reason: "unknown" });
      return new OpenSession(this.#io);`,
    replace: `      const now = this.#settings.now();
      const facts = { ...NEW_RECORD, data: "{}", createdAt: now, touchedAt: now, expiresAt: now };
      const fresh = this.#lifetimes.begin(now, facts);
      void this.#store.tell("create", key, fresh);
      return new OpenSession(this.#io, { id, key, record: fresh, readAt: now });`,
    in: "tests/guarantees/seen-elsewhere.test.ts",
    test: "Fiber CVE-2024-38513, MicroPie: an id of the client's own making became the session's key",
  },
  {
    rule: "passport CVE-2022-25896",
    what: "A login changes the session under the id that it has.",
    file: "src/session/manager.ts",
    find: `      if (await this.#store.ask("rotate", stored.key, key, record, current.version)) {
        open.rotated({ id, key, record, readAt: now }, mine, login);`,
    replace: `      if (await this.#store.ask("replace", stored.key, record, current.version)) {
        open.rotated({ id: stored.id, key: stored.key, record, readAt: now }, mine, login);`,
    in: "tests/guarantees/seen-elsewhere.test.ts",
    test: "passport CVE-2022-25896: the id from before the login was good after it",
  },
  {
    rule: "rack-session CVE-2025-46336 and others",
    what: "A write that finds its row gone puts it back, in memory.",
    file: "src/backends/memory/backend.ts",
    find: `    const entry = this.#current(id, version);
    if (entry === undefined) return false;`,
    replace: `    const entry = this.#current(id, version);
    if (entry === undefined) return this.create(id, record);`,
    in: "tests/guarantees/seen-elsewhere.test.ts",
    test: "rack-session CVE-2025-46336, express-session, @fastify/session, hono-sessions, koa-session: a request under way brought back a session that had ended",
  },
  {
    rule: "rack-session CVE-2025-46336 and others",
    what: "A write that finds its row gone inserts it, on SQLite.",
    file: "src/backends/sqlite/writes.ts",
    find: `    return changes(replace.run({ ...record, id, was: version, now: this.#now() })) === 1;`,
    replace: `    const isDone = changes(replace.run({ ...record, id, was: version, now: this.#now() })) === 1;
    return isDone || this.create(id, record);`,
    in: "tests/guarantees/seen-elsewhere.test.ts",
    test: "rack-session CVE-2025-46336, express-session, @fastify/session, hono-sessions, koa-session: another process brought back a session that had ended",
  },
  {
    rule: "express-session and others",
    what: "A write replaces whatever has been written meanwhile.",
    file: "src/backends/sqlite/statements.ts",
    find: `      .set(contents)
      .where(and(isId, isVersion, isLive))`,
    replace: `      .set(contents)
      .where(and(isId, isLive))`,
    in: "tests/guarantees/seen-elsewhere.test.ts",
    test: "express-session, @fastify/session, hono-sessions, koa-session: of two keys set at the same time, one was lost",
  },
  {
    rule: "express-session #360",
    what: "A redirect, which has no body, need not wait for the store.",
    file: "src/app/app.ts",
    find: `    const setCookie = this.#sessions.settle(open, response.status);
    return isPromise(setCookie)`,
    replace: `    const setCookie = this.#sessions.settle(open, response.status);
    if (isPromise(setCookie) && response.status === 302) return response;
    return isPromise(setCookie)`,
    in: "tests/guarantees/seen-elsewhere.test.ts",
    test: "express-session #360: a redirect left before the session was stored",
  },
  {
    rule: "express-session",
    what: "A session that could not be stored is logged, and the page is sent.",
    file: "src/app/app.ts",
    find: `    try {
      return this.#send(response, await setCookie);
    } catch (error) {
      return this.#fail(error, request, open);
    }`,
    replace: `    try {
      return this.#send(response, await setCookie);
    } catch (error) {
      this.#report(error, request, open.touched);
      return response;
    }`,
    in: "tests/guarantees/seen-elsewhere.test.ts",
    test: "express-session: the answer was 200 although the session was not stored",
  },
  {
    rule: "hono-sessions",
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
    rule: "@fastify/session, hono-sessions",
    what: "A session that was looked at is stored, empty as it is.",
    file: "src/session/session.ts",
    find: `      const nothing = data === EMPTY.data && flash === null && this.login === undefined;`,
    replace: `      const nothing = !this.touched;`,
    in: "tests/guarantees/seen-elsewhere.test.ts",
    test: "@fastify/session, hono-sessions: every anonymous visit made a row, a cookie and a write",
  },
  {
    rule: "@fastify/session CVE-2024-35220",
    what: "When a session ends is reckoned from now, and then compared with now.",
    file: "src/session/manager.ts",
    find: `    if (this.#lifetimes.isOver(record, now)) {`,
    replace: `    if (this.#lifetimes.isOver(this.#lifetimes.begin(now, record), now)) {`,
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
    find: `    const { isTaken, remove, rotate } = this.#statements;
    if (isTaken.get({ id: newId, now }) !== undefined) return false;`,
    replace: `    const { remove, rotate } = this.#statements;`,
    in: "tests/guarantees/seen-elsewhere.test.ts",
    test: "tower-sessions 0.12 (#180, #188): a new session with an id that was taken opened the other's: /login/bob",
  },
  {
    rule: "Hono CVE-2026-39410",
    what: "Whatever is a blank in Unicode is trimmed.",
    file: "src/session/cookie.ts",
    find: `  return code === 0x20 || code === 0x09;`,
    replace: `  return String.fromCharCode(code).trim() === "";`,
    in: "tests/guarantees/seen-elsewhere.test.ts",
    test: "Hono CVE-2026-39410: a no-break space before its name let an evil cookie pass for the session's",
  },
  {
    rule: "jshttp/cookie CVE-2024-47764, Hono CVE-2026-47675",
    what: "Of SameSite it is checked only that it is a text.",
    file: "src/session/cookie.ts",
    find: `    !SAME_SITE.has(sameSite),`,
    replace: `    typeof sameSite !== "string",`,
    in: "tests/guarantees/seen-elsewhere.test.ts",
    test: 'jshttp/cookie CVE-2024-47764, Hono CVE-2026-47675: a cookie\'s sameSite carried further attributes along: "lax; Domain=evil.example"',
  },
  {
    rule: "Flask CVE-2023-30861, Django CVE-2026-35192",
    what: "Only responses that vary by the cookie are kept out of caches.",
    file: "src/session/headers.ts",
    find: `  forbidStoring(answer.headers);`,
    replace: `  if (answer.headers.has("vary")) forbidStoring(answer.headers);`,
    in: "tests/guarantees/seen-elsewhere.test.ts",
    test: "Flask CVE-2023-30861, Django CVE-2026-35192: a shared cache kept the cookie of a page that renewed it",
  },
  {
    rule: "Flask CVE-2026-27205",
    what: "A page varies by the cookie only if it sets it.",
    file: "src/app/app.ts",
    find: `responseOf(value, open.touched)`,
    replace: `responseOf(value, open.cookie === "set")`,
    in: "tests/guarantees/seen-elsewhere.test.ts",
    test: "Flask CVE-2026-27205: a shared cache kept a page that had only asked for a key",
  },
  {
    rule: "Rack CVE-2019-16782",
    what: "Sessions are stored and looked up by the id itself.",
    file: "src/session/id.ts",
    find: `  return Bun.SHA256.hash(id, "base64url");`,
    replace: `  return id;`,
    in: "tests/guarantees/seen-elsewhere.test.ts",
    test: "Rack CVE-2019-16782: the time of a look-up told how much of an id was guessed",
  },
  {
    rule: "Django CVE-2015-5143, CVE-2015-5963",
    what: "An id that is not in the store gets an empty row.",
    file: "src/session/manager.ts",
    find: `      this.#events.emit({ type: "rejected", reason: "unknown" });`,
    replace: `      this.#events.emit({ type: "rejected", reason: "unknown" });
      const now = this.#settings.now();
      const facts = { ...NEW_RECORD, data: "{}", createdAt: now, touchedAt: now, expiresAt: now };
      void this.#store.tell("create", key, this.#lifetimes.begin(now, facts));`,
    in: "tests/guarantees/seen-elsewhere.test.ts",
    test: "Django CVE-2015-5143, CVE-2015-5963: unknown ids and anonymous logouts made rows",
  },
  {
    rule: "React CVE-2025-55182, MicroPie",
    what: "Routes are kept in an object, which has a prototype.",
    file: "src/app/dispatch.ts",
    find: `    const named = this.#routes.get(segments[0] ?? "index");`,
    replace: `    const routes: Record<string, Route> = Object.fromEntries(this.#routes);
    const named = routes[segments[0] ?? "index"];`,
    in: "tests/guarantees/seen-elsewhere.test.ts",
    test: "React CVE-2025-55182, MicroPie: a name from the wire reached what is no page",
  },
  {
    rule: "React Router CVE-2026-22030",
    what: "Paths that are a name and nothing else go past the check of the origin.",
    file: "src/app/app.ts",
    find: `      if (!isSafe(method)) refuseCrossOrigin(request, this.#trustedOrigins);`,
    replace: `      if (!isSafe(method) && match.params.length > 0) {
        refuseCrossOrigin(request, this.#trustedOrigins);
      }`,
    in: "tests/guarantees/seen-elsewhere.test.ts",
    test: "React Router CVE-2026-22030: the origin was checked on one way to the handlers only: a field's handler",
  },
  {
    rule: "Werkzeug CVE-2023-25577, Starlette CVE-2024-47874",
    what: "A form in parts is left to the platform, which knows no limit.",
    file: "src/app/request.ts",
    find: `return fieldsOf(await this.#read(), type);`,
    replace: `return fieldsOf(await this.raw.arrayBuffer(), type);`,
    in: "tests/guarantees/seen-elsewhere.test.ts",
    test: "Werkzeug CVE-2023-25577, Starlette CVE-2024-47874: a form in parts without an end filled the memory: small parts",
  },
  {
    rule: "govuk-prototype-kit #2399",
    what: "The sweeper goes by when a session was to end before it was used again.",
    file: "src/backends/memory/expiry-heap.ts",
    find: `      if (first.record.expiresAt <= now) return first;
      first.dueAt = first.record.expiresAt;
      this.#sink(first, 0);`,
    replace: `      return first;`,
    in: "tests/guarantees/seen-elsewhere.test.ts",
    test: "govuk-prototype-kit #2399: the sweeper removed sessions that were in use: InMemorySessionBackend",
  },
  {
    rule: "MicroPie",
    what: "A request that fails is settled by the status of its response.",
    file: "src/app/app.ts",
    find: `      const setCookie = this.#sessions.settle(open, 500);`,
    replace: `      const setCookie = this.#sessions.settle(open, response.status);`,
    in: "tests/guarantees/seen-elsewhere.test.ts",
    test: "MicroPie: what a failed request had changed stayed changed",
  },
  {
    rule: "MicroPie",
    what: "An update() starts from what the request has read.",
    file: "src/session/manager.ts",
    find: `      const data = dictionaryOf(decode(current.data) ?? {});`,
    replace: `      const data = dictionaryOf(decode(stored.record.data) ?? {});`,
    in: "tests/guarantees/seen-elsewhere.test.ts",
    test: "MicroPie: of fifty increments at once, one survived",
  },
  {
    rule: "MicroPie",
    what: "What the query says is put into the session, for convenience.",
    file: "src/app/app.ts",
    find: `    const context = new AppRequest(request, path, params, open, server, this.#maxBodyBytes);`,
    replace: `    const context = new AppRequest(request, path, params, open, server, this.#maxBodyBytes);
    Object.assign(open.session, Object.fromEntries(new URL(request.url).searchParams));`,
    in: "tests/guarantees/seen-elsewhere.test.ts",
    test: "MicroPie: values of the session were overridden from the query string and the form",
  },

  // Figures.
  {
    rule: "G1",
    what: "A cookie's value is decoded, as other cookies' are.",
    file: "src/session/cookie.ts",
    find: `        found = trimBlanks(header.slice(start, end));`,
    replace: `        found = decodeURIComponent(trimBlanks(header.slice(start, end)));`,
    in: "tests/guarantees/identifiers.test.ts",
    test: "G1: a Cookie header that was tampered with opens the session that it names exactly, or none; a malformed id is not looked up",
  },
  {
    rule: "G1",
    what: "Whatever has the length of an id is looked up.",
    file: "src/session/id.ts",
    find: `  return ID_PATTERN.test(value);`,
    replace: `  return value.length === 43;`,
    in: "tests/guarantees/identifiers.test.ts",
    test: "G1: a Cookie header that was tampered with opens the session that it names exactly, or none; a malformed id is not looked up",
  },
  {
    rule: "G1",
    what: "Quotes around a cookie's value are taken away.",
    file: "src/session/cookie.ts",
    find: `        found = trimBlanks(header.slice(start, end));`,
    replace: `        found = trimBlanks(header.slice(start, end)).replace(/^"(.*)"$/, "$1");`,
    in: "tests/guarantees/identifiers.test.ts",
    test: "G1: a Cookie header that was tampered with opens the session that it names exactly, or none; a malformed id is not looked up",
  },
  {
    rule: "G2",
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
    rule: "G6",
    what: "A write that another process was faster than is not tried again.",
    file: "src/session/manager.ts",
    find: `        if (await this.#store.ask("replace", key, next, current.version)) return next;`,
    replace: `        await this.#store.ask("replace", key, next, current.version);
        return next;`,
    in: "tests/guarantees/one-port.test.ts",
    test: "G6: 100 users who wander between two servers over one SQLite store lose nothing, and a logout holds on both at once",
  },
  {
    rule: "G6",
    what: "What is done to one session is not done one after the other.",
    file: "src/store/keyed-queue.ts",
    find: `    const running = tail.then(`,
    replace: `    const running = Promise.resolve().then(`,
    in: "tests/store/load-save-store.test.ts",
    test: "lets one of many replacements of one version through",
  },
  {
    rule: "G6",
    what: "A write on SQLite does not ask for the version that it was made from.",
    file: "src/backends/sqlite/statements.ts",
    find: `      .set(contents)
      .where(and(isId, isVersion, isLive))`,
    replace: `      .set(contents)
      .where(and(isId, isLive))`,
    in: "tests/guarantees/races.test.ts",
    test: "G6: two requests at once that set two keys lose neither: SqliteSessionBackend",
  },
  {
    rule: "G6",
    what: "What another process has changed is overwritten, if it is another key.",
    file: "src/session/manager.ts",
    find: `      mergeContents(stored.record, mine, current),`,
    replace: `      current.version > 0 ? mine : current,`,
    in: "tests/guarantees/races.test.ts",
    test: "G6: updates of one counter by four processes at once all count, and each keeps its own key: SQLite",
  },
  {
    rule: "G7",
    what: "A new id is one more id.",
    file: "src/backends/memory/backend.ts",
    find: `    this.#remove(entry);
    this.#add(new Entry(newId, record));`,
    replace: `    this.#add(new Entry(newId, record));`,
    in: "tests/guarantees/interleavings.test.ts",
    test: "G7: requests that overlap bring nothing back, see nothing stale and lose nothing: two managers of one InMemorySessionBackend",
  },
  {
    rule: "G7",
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
    file: "src/session/manager.ts",
    find: `    open.adopt(stored, touched, record);`,
    replace: `    open.adopt(stored, { ...touched, version: record.version + 1 }, record);`,
    in: "tests/session/manager.test.ts",
    test: "that is late lets no later write of its request run over another request's",
  },
  {
    rule: "L6",
    what: "What a save() under way stores outlives the destroy() that came after it.",
    file: "src/session/session.ts",
    find: `    this.overtaken = this.underWay !== undefined;`,
    replace: ``,
    in: "tests/session/manager-overlap.test.ts",
    test: "L6: destroy() while a login is being saved: nothing of it is left",
  },
  {
    rule: "G7",
    what: "A page that only reads sends its cookie again, over that of a login meanwhile.",
    file: "src/session/manager.ts",
    find: `    open.cookie = (await touched) === true ? "set" : "keep";`,
    replace: `    open.cookie = "set";
    await touched;`,
    in: "tests/session/manager.test.ts",
    test: "the cookie is not sent again where another request changed the id meanwhile: one that reads",
  },
  {
    rule: "G7",
    what: "What a handler stores on its way decides of the cookie that goes out at its end.",
    file: "src/session/manager.ts",
    find: `    if (open.cookie === "set" && !open.issued) open.cookie = "renew";
`,
    replace: ``,
    in: "tests/session/manager.test.ts",
    test: "the cookie is not sent again where another request changed the id meanwhile: one that has stored a change before",
  },
  {
    rule: "G16",
    what: "A page that was asked for in a session's last moment renews its cookie.",
    file: "src/session/manager.ts",
    find: `(await touched) === true ? "set" : "keep"`,
    replace: `(await touched) === undefined ? "keep" : "set"`,
    in: "tests/session/manager.test.ts",
    test: "the cookie is not sent again where the session's time ran out meanwhile",
  },
  {
    rule: "G7",
    what: "A login is taken for stored when something before it was.",
    file: "src/session/session.ts",
    find: `    if (this.login !== login) return;`,
    replace: `    void login;`,
    in: "tests/session/manager-overlap.test.ts",
    test: "login() while a new id is being saved is recorded",
  },
  {
    rule: "G7",
    what: "What a handler leaves behind comes between the steps of the commit.",
    file: "src/session/manager.ts",
    find: `    open.underWay = committed;`,
    replace: ``,
    in: "tests/session/manager-overlap.test.ts",
    test: "a save() is stored in the session that the response hands out",
  },
  {
    rule: "G8",
    what: "Anonymous sessions are given up only when there are twice as many as allowed.",
    file: "src/backends/memory/backend.ts",
    find: `    if (this.#entries.size >= this.#maxSessions) this.#makeRoom();`,
    replace: `    if (this.#entries.size >= this.#maxSessions * 2) this.#makeRoom();`,
    in: "tests/guarantees/floods.test.ts",
    test: "G8: a handler that always writes fills the store in memory to its limit, and no further",
  },
  {
    rule: "G9",
    what: "All that has expired is removed in one go.",
    file: "src/session/manager.ts",
    find: `const SWEEP_BATCH = 30;`,
    replace: `const SWEEP_BATCH = 1_000_000;`,
    in: "tests/session/manager.test.ts",
    test: "goes in batches of 30, and lets others have a turn between them",
  },
  {
    rule: "G9",
    what: "A long sweep of an SQLite file stays on the event loop.",
    file: "src/backends/sqlite/backend.ts",
    find: `    else if (!this.#isSweepLong) await this.#startThread();`,
    replace: ``,
    in: "tests/backends/sqlite/thread.test.ts",
    test: "goes on on a thread, which ends with it",
  },
  {
    rule: "G9",
    what: "During a long sweep, a read does not wait for the write before it.",
    file: "src/backends/sqlite/backend.ts",
    find: `this.#commits.settled(id) ?? this.#thread?.settled(id)`,
    replace: `this.#commits.settled(id)`,
    in: "tests/backends/sqlite/thread.test.ts",
    test: "lets a read wait for the write before it, and a list for them all",
  },
  {
    rule: "G9",
    what: "The writes of a thread that broke off count as done.",
    file: "src/backends/sqlite/thread.ts",
    find: `      waiting.done.reject(new Error("The thread that writes to the session database has ended."));`,
    replace: `      waiting.done.resolve(true);`,
    in: "tests/backends/sqlite/thread.test.ts",
    test: "goes on without the thread if it breaks off, and says of no write that it was done",
  },
  {
    rule: "G11",
    what: "SQLite waits for the lock inside the call, and everybody with it.",
    file: "src/backends/sqlite/database.ts",
    find: `    client.run("PRAGMA busy_timeout = 0");`,
    replace: ``,
    in: "tests/backends/sqlite/faults.test.ts",
    test: "never stops the event loop while another process holds the lock",
  },
  {
    rule: "G12",
    what: "A service that is told to end cuts off what is under way.",
    file: "src/app/lifecycle.ts",
    find: `then(() => server.stop()), late]);`,
    replace: `then(() => server.stop(true)), late]);`,
    in: "tests/app/lifecycle.test.ts",
    test: "ends on SIGTERM when the request under way is answered",
  },
  {
    rule: "G12",
    what: "A client is not told that the server is about to close its connection.",
    file: "src/app/lifecycle.ts",
    find: `    service.endConnections();
`,
    replace: ``,
    in: "tests/guarantees/shutdown.test.ts",
    test: "G12: SIGTERM under load cuts no request and loses no change, under listen()",
  },
  {
    rule: "G4",
    what: "A new id and the end of the old one are two commits.",
    file: "src/backends/sqlite/writes.ts",
    find: `    remove.run({ id: newId });
    return changes(rotate.run({ ...record, id: oldId, newId, was: version, now })) === 1;`,
    replace: `    setTimeout(() => remove.run({ id: oldId }), 20);
    return this.create(newId, record);`,
    in: "tests/guarantees/crashes.test.ts",
    test: "G4: what was acknowledged is there after a SIGKILL, and what was ended stays ended",
  },
  {
    rule: "G5",
    what: "Each write of a turn is a commit of its own.",
    file: "src/backends/sqlite/group-commit.ts",
    find: `    const results = this.#inTransaction(() => writes.map((write) => write.run()));`,
    replace: `    const results = writes.map((write) => this.#inTransaction(write.run));`,
    in: "tests/guarantees/crashes.test.ts",
    test: "G5: a log that is cut at any byte leaves the sessions as of one commit",
  },
  {
    rule: "G11",
    what: "Pages of the database are kept in memory, damaged or not.",
    file: "src/backends/sqlite/group-commit.ts",
    find: `  if (isDamage) client.run("PRAGMA shrink_memory");`,
    replace: ``,
    in: "tests/backends/sqlite/faults.test.ts",
    test: "S7: a page that was damaged is read anew, and no longer from memory, once it is restored",
  },
  {
    rule: "S7",
    what: "A write goes on when its load has come after all, however late.",
    file: "src/store/keyed-queue.ts",
    find: `    if (this.#isLate) throw`,
    replace: `    if (this.#isLate && this.#patience === 0) throw`,
    in: "tests/store/load-save-store.test.ts",
    test: "S7: changes nothing that was acknowledged since",
  },
  {
    rule: "G13",
    what: "What a session holds is copied key by key, as plain objects are.",
    file: "src/session/json.ts",
    find: `  return JSON.stringify({ ...dictionary });`,
    replace: `  return JSON.stringify(Object.assign({}, dictionary));`,
    in: "tests/guarantees/data.test.ts",
    test: "G13: what a session holds comes back as it was, hostile keys and values included",
  },
  {
    rule: "G13",
    what: "A session ends by its row, whatever stands there.",
    file: "src/store/backend.ts",
    find: `    Number.isFinite(expiresAt) &&
`,
    replace: ``,
    in: "tests/guarantees/data.test.ts",
    test: "G13: a damaged row is no session and an event, and no page fails because of it",
  },
  {
    rule: "G14",
    what: "A segment is decoded until nothing is left to decode.",
    file: "src/app/dispatch.ts",
    find: `    return segments.map(decodeURIComponent);`,
    replace: `    return segments.map(decodeURIComponent).map(decodeURIComponent);`,
    in: "tests/guarantees/dispatch.test.ts",
    test: "D1: a name from the wire reaches nothing but pages > G14: a path reaches the page whose name it spells, and nothing else that the app or the language holds",
  },
  {
    rule: "G14",
    what: "A page's name may be written in letters that look the same.",
    file: "src/app/dispatch.ts",
    find: `    const named = this.#routes.get(segments[0] ?? "index");`,
    replace: `    const named = this.#routes.get((segments[0] ?? "index").normalize("NFKC"));`,
    in: "tests/guarantees/dispatch.test.ts",
    test: "D1: a name from the wire reaches nothing but pages > G14: a path reaches the page whose name it spells, and nothing else that the app or the language holds",
  },
  {
    rule: "G20",
    what: "Requests of one session wait for each other.",
    file: "src/session/manager.ts",
    find: `await handler(request, open.session, ...rest);`,
    replace: `await this.#conflicts.run(open.stored?.key ?? String(Math.random()), async () =>
            handler(request, open.session, ...rest),
          );`,
    in: "tests/guarantees/slow-clients.test.ts",
    test: "G20: a request that takes its time delays no other request of its session, and keeps what it changed",
  },
  {
    rule: "G16",
    what: "The end of a session's lifetime moves with its use.",
    file: "src/session/lifetimes.ts",
    find: `    const absolute = record.createdAt + this.#lifetime;`,
    replace: `    const absolute = now + this.#lifetime;`,
    in: "tests/guarantees/clocks.test.ts",
    test: "G16: sessions end when their idle timeout or absolute lifetime is over, and no sooner: InMemorySessionBackend",
  },
  {
    rule: "G16",
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
    rule: "G21",
    what: "Expired sessions count among those that a user was logged out of.",
    file: "src/backends/memory/backend.ts",
    find: `      if (this.#isLive(entry)) count++;`,
    replace: `      count++;`,
    in: "tests/guarantees/contract.test.ts",
    test: "G21: a store answers as its contract says: InMemorySessionBackend",
  },
  {
    rule: "G21",
    what: "A session that changes hands on SQLite leaves its messages behind.",
    file: "src/backends/sqlite/statements.ts",
    find: `    flash: sql\`\${value("flash")}\`,`,
    replace: `    flash: sql\`NULL\`,`,
    in: "tests/guarantees/contract.test.ts",
    test: "G21: a store answers so on the system's clock too: SqliteSessionBackend",
  },
  {
    rule: "G21",
    what: "An id that was destroyed stays so, even for who creates it anew.",
    file: "src/store/load-save-store.ts",
    find: `        this.#destroyed.delete(id);`,
    replace: ``,
    in: "tests/guarantees/contract.test.ts",
    test: "G21: a store made of two methods answers alike: an asynchronous load and save",
  },
  ...(redis.isThere && hasRedisServer ? REDIS_FAULTS : []),
  ...(postgres.isThere ? POSTGRES_FAULTS : []),
];
