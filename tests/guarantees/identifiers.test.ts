import { Database } from "bun:sqlite";
import { describe, expect } from "bun:test";

import { App } from "../../src/app/app.ts";
import { InMemorySessionBackend } from "../../src/backends/memory/backend.ts";
import { SqliteSessionBackend } from "../../src/backends/sqlite/backend.ts";
import { Sessions } from "../../src/http/sessions.ts";
import type { SessionStore } from "../../src/store/session-store.ts";
import type { Random } from "../support/arbitraries/random.ts";
import { pick } from "../support/arbitraries/random.ts";
import { scramble } from "../support/arbitraries/spoil.ts";
import { exchange, readStatuses } from "../support/raw.ts";
import { serve } from "../support/serve.ts";
import { TappedStore } from "../support/stores/tapped-store.ts";
import type { Trial } from "./figure.ts";
import { guarantee, number } from "./figure.ts";
import { hostileCookies } from "./hostile-cookies.ts";
import { generateVariants, idFrom, idsFrom, plant, toKey } from "./ids.ts";
import { LONG_COOKIES } from "./long-cookies.ts";
import { isWellFormed, valuesIn } from "./reference-cookie.ts";

const KB = 1024;
const START = "GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n";
/** In milliseconds: a header that takes so long is measured no more often. */
const DURATION = 200;
const NAMES = ["session_id", "__Host-session_id"];

/** One request for all headers: to make one for each would take most of the time. */
class Envelope {
  readonly #sealed = new Request("http://localhost/");
  readonly #open = { headers: { get: () => this.#header } } as unknown as Request;
  #header = "";

  /** The request with this header; what `Headers` refuses is handed over without them. */
  with(header: string): Request {
    if (/^[\t\x20-\x7e\x80-\xff]*$/.test(header)) {
      this.#sealed.headers.set("cookie", header);
      return this.#sealed;
    }
    this.#header = header;
    return this.#open;
  }
}

/** Sessions under this cookie's name, what their store is asked, and headers that try to get in. */
async function openDoor(name: string, random: Random) {
  const store = new TappedStore();
  const sessions = new Sessions({ backend: store, cookie: { name } });
  const ids = idsFrom(random, 20);
  await plant(store, ids, name);
  return {
    name,
    store,
    sessions,
    ids: new Set(ids),
    next: hostileCookies(random, { name, ids }),
  };
}

/** Checks for itself which session it was given for which header. */
class Doorman extends App {
  readonly wrong: string[] = [];
  right = 0;
  readonly #ids: ReadonlySet<string>;

  constructor(backend: SessionStore, ids: readonly string[]) {
    super({ sessionBackend: backend });
    this.#ids = new Set(ids);
  }

  index(): string {
    const { headers, session } = this.request;
    const header = headers.get("cookie") ?? "";
    const live = valuesIn(header, "session_id").filter((value) => this.#ids.has(value));
    const [value = ""] = live;
    const { handle } = session.meta;
    if (handle !== (live.length === 1 ? toKey(value) : null)) this.wrong.push(header);
    if (handle !== null) this.right++;
    return "Come in.";
  }
}

describe("a Cookie header", () => {
  guarantee(
    "a Cookie header that was tampered with opens the session that it names exactly, or none; a malformed id is not looked up",
    { id: "G1", quick: 20_000, gate: 100_000, full: 10_000_000, of: "Cookie headers" },
    async (trial) => {
      const doors = await Promise.all(NAMES.map((name) => openDoor(name, trial.random)));
      const envelope = new Envelope();
      const thrown: string[] = [];
      const forged: string[] = [];
      const refused: string[] = [];
      const asked: string[] = [];
      let right = 0;
      let malformed = 0;
      for (let count = 0; count < trial.size; count += doors.length) {
        for (const { name, store, sessions, ids, next } of doors) {
          const header = next();
          const wellFormed = valuesIn(header, name).filter(isWellFormed);
          const live = wellFormed.filter((value) => ids.has(value));
          const expected = live.length === 1 ? live[0] : undefined;
          store.calls.length = 0;
          try {
            const { arrived } = await sessions.open(envelope.with(header));
            const id = arrived.at === "store" ? arrived.id : undefined;
            if (id !== expected) (id === undefined ? refused : forged).push(header);
          } catch {
            thrown.push(header);
          }
          if (store.calls.length !== wellFormed.length) asked.push(header);
          if (expected !== undefined) right++;
          if (wellFormed.length === 0) malformed++;
        }
        if (count % 100_000 === 0) trial.progress(count);
      }
      trial.never("throws", thrown);
      trial.never("forged ids accepted", forged, trial.size - right);
      trial.never("live ids refused", refused, right);
      trial.never("store calls for malformed ids", asked, malformed);
      for (const { sessions } of doors) await sessions.close();
    },
  );

  guarantee(
    "a Cookie header of arbitrary bytes, sent over a socket, is answered with 200, 400 or 431",
    { id: "G1", quick: 200, gate: 1_000, full: 20_000, of: "connections" },
    async (trial) => {
      const { random } = trial;
      const ids = idsFrom(random, 20);
      const backend = new InMemorySessionBackend();
      await plant(backend, ids);
      const app = new Doorman(backend, ids);
      const { port } = serve(app);
      const next = hostileCookies(random, { name: "session_id", ids });
      const counts = new Map<string, number>();
      const strange: string[] = [];
      let begun = 0;
      const work = async (): Promise<void> => {
        while (begun++ < trial.size) {
          const cookie = random(100) === 0 ? `a=${"x".repeat(17 * KB)}` : next();
          const line =
            random(2) === 0 ? `Cookie: ${cookie}` : scramble(`Cookie: ${cookie}`, random);
          const text = `${START}${line}\r\n\r\n`;
          const answer = await exchange(port, Buffer.from(text, pick(["latin1", "utf8"], random)));
          const status = readStatuses(answer).join(" and ");
          counts.set(status, (counts.get(status) ?? 0) + 1);
          if (!["200", "400", "431"].includes(status)) strange.push(text + answer);
        }
      };
      await Promise.all(Array.from({ length: 32 }, work));
      await app.close();
      trial.never("other answers", strange);
      trial.never("forged ids accepted, and live ones refused", app.wrong);
      const list = [...counts].map(([status, count]) => `${number(count)} × ${status}`);
      trial.note(`${list.toSorted().join(", ")}; ${number(app.right)} opened a session`);
      expect(app.right).toBeGreaterThan(0);
    },
  );

  guarantee(
    "a Cookie header takes no more time than its length justifies",
    { id: "G1", gate: 20, full: 1_000, of: "measurements of each of 17 shapes" },
    async (trial) => {
      const sessions = new Sessions({ backend: new InMemorySessionBackend() });
      /** In milliseconds. The shortest of many, which is the one that nothing came between. */
      const measureTime = (header: string): number => {
        const request = new Request("http://localhost/", { headers: { cookie: header } });
        const end = performance.now() + DURATION;
        let shortest = Infinity;
        for (let count = 0; count < trial.size && performance.now() < end; count++) {
          const begun = performance.now();
          let turns = 0;
          do {
            void sessions.open(request);
            turns++;
          } while (turns < 10 && performance.now() < end);
          shortest = Math.min(shortest, (performance.now() - begun) / turns);
        }
        return shortest;
      };
      const times = Object.entries(LONG_COOKIES).map(([shape, make]) => ({
        shape,
        at16: measureTime(make(16 * KB)),
        // Four doublings at once: what comes between two measurements counts for less.
        doubling: (measureTime(make(64 * KB)) / measureTime(make(4 * KB))) ** (1 / 4),
      }));
      const dearest = Math.max(...times.map(({ at16 }) => at16));
      const steepest = Math.max(...times.map(({ doubling }) => doubling));
      trial.atMost("slowest shape at 16 KB", dearest, 1, "ms");
      trial.atMost("twice the length takes at most", steepest, 2.5, "times as long");
      await sessions.close();
    },
  );
});

/** Its page only reads. */
class Site extends App<{ visits: number }> {
  index(): string {
    return String(this.request.session.visits ?? "stranger");
  }
}

/** Tries all variants of these ids, and the ids themselves. */
async function tryVariants(trial: Trial, backend: SessionStore, ids: readonly string[]) {
  const sessions = new Sessions({ backend, storeTimeout: 60_000 });
  const envelope = new Envelope();
  const isOpen = async (id: string): Promise<boolean> =>
    (await sessions.open(envelope.with(`session_id=${id}`))).arrived.at === "store";
  const accepted: string[] = [];
  let opened = 0;
  for (const id of ids) {
    for (const variant of generateVariants(id)) {
      if (await isOpen(variant)) accepted.push(variant);
    }
    if (await isOpen(id)) opened++;
  }
  trial.never("variants accepted", accepted);
  trial.always("unmodified ids that opened their session", opened, ids.length);
  await sessions.close();
}

describe("an id that was not issued", () => {
  guarantee(
    "an id that was not issued opens nothing and leaves nothing behind",
    {
      id: "G2",
      quick: 5_000,
      gate: 20_000,
      full: 1_000_000,
      of: "unknown ids against a tenth as many live ones",
    },
    async (trial) => {
      const live = trial.size / 10;
      const backend = new InMemorySessionBackend({ maxSessions: live + 1 });
      await plant(backend, idsFrom(trial.random, live));
      const app = new Site({ sessionBackend: backend });
      const hits: string[] = [];
      const cookies: string[] = [];
      for (let count = 0; count < trial.size; count++) {
        const cookie = `session_id=${idFrom(trial.random)}`;
        const response = await app.fetch(new Request("http://localhost/", { headers: { cookie } }));
        if ((await response.text()) !== "stranger") hits.push(cookie);
        if (response.headers.has("set-cookie")) cookies.push(cookie);
        if (count % 100_000 === 0) trial.progress(count);
      }
      trial.never("ids that opened a session", hits);
      trial.never("rows", backend.size - live);
      trial.never("cookies set", cookies);
      await app.sessions.close();
    },
  );

  const VARIANTS = 43 * 63;

  guarantee(
    "an id that differs from a live one in one character opens nothing",
    {
      id: "G2",
      quick: VARIANTS,
      gate: 4 * VARIANTS,
      full: 1000 * VARIANTS,
      of: "variants of live ids",
    },
    async (trial) => {
      const ids = idsFrom(trial.random, trial.size / VARIANTS);
      const backend = new InMemorySessionBackend();
      await plant(backend, ids);
      await tryVariants(trial, backend, ids);
    },
  );

  guarantee(
    "an id that differs from a live one in one character opens nothing in SQLite",
    { id: "G2", gate: VARIANTS, full: 37 * VARIANTS, of: "variants, among as many live ids" },
    async (trial) => {
      using database = new Database(":memory:");
      const backend = new SqliteSessionBackend(database);
      const ids = idsFrom(trial.random, trial.size / VARIANTS);
      await plant(backend, ids);
      for (let count = ids.length; count < trial.size; count += 1000) {
        await plant(backend, idsFrom(trial.random, 1000));
      }
      await tryVariants(trial, backend, ids);
    },
  );
});
