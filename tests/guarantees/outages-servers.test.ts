import { afterAll, beforeAll, describe, expect } from "bun:test";

import { App } from "../../src/app/app.ts";
import { PostgresSessionBackend } from "../../src/backends/postgres/backend.ts";
import { RedisSessionBackend } from "../../src/backends/redis/backend.ts";
import type { SessionBackend } from "../../src/store/backend.ts";
import { TestClient } from "../../src/testing/client.ts";
import { quiet } from "../support/quiet.ts";
import { canStartPostgres, PostgresServer } from "../support/servers/postgres-server.ts";
import { postgres, readPort, Schema } from "../support/servers/postgres.ts";
import { hasRedisServer, RedisServer } from "../support/servers/redis-server.ts";
import { brittle, Keyspace, redis } from "../support/servers/redis.ts";
import { TcpProxy } from "../support/servers/tcp-proxy.ts";
import type { Trial } from "./figure.ts";
import { guarantee, number } from "./figure.ts";

/** Breaks something, and gives what mends it. */
type Fault = () => Mend | Promise<Mend>;
type Mend = () => unknown;

/** A store, and what befalls it. */
interface Setting {
  readonly backend: SessionBackend;
  readonly fault: Fault;
}

/** Makes a setting. What has to be closed afterwards is on the stack. */
type Prepare = (stack: AsyncDisposableStack, trial: Trial) => Promise<Setting>;

/** The longest that a visitor may wait, in milliseconds: `storeTimeout`, and what a timer may be late. */
const DEADLINE = 2_100;
/** How soon everybody is to be served again, and how soon those who have no session always are. */
const RECOVERY = 1_000;
const AT_ONCE = 250;

/** How long an outage lasts: from a moment to longer than anybody waits, as the first one does. */
const SHORTEST = 100;
const LONGEST = 2_500;
const FIRST = 2_500;

/** More than there are connections to a server, so that each of those is in use. */
const VISITORS = 16;
/** One request in so many is a logout. */
const LOGOUTS = 20;

class Site extends App<{ count: number }> {
  async count(): Promise<string> {
    let count = 0;
    await this.request.session.update((stored) => {
      count = (stored.count ?? 0) + 1;
      stored.count = count;
    });
    return String(count);
  }
  look(): string {
    return String(this.request.session.count ?? "nobody");
  }
  end(): string {
    this.request.session.destroy();
    return "ended";
  }
  about(): string {
    return "About us";
  }
}

/** Somebody who counts, logs out now and then, and notes what was acknowledged. */
class Visitor {
  #client: TestClient;
  #acknowledged = 0;
  #attempted = 0;
  #mayHaveEnded = false;
  /** Cookies of sessions whose end was acknowledged. */
  readonly ended: TestClient[] = [];
  readonly seen = { pages: 0, refusals: 0, others: 0, wrongCounts: 0, longest: 0 };
  readonly #app: Site;

  constructor(app: Site) {
    this.#app = app;
    this.#client = new TestClient(app);
  }

  /** Counts one up. Gives whether that was acknowledged. */
  async count(): Promise<boolean> {
    if (this.#client.sessionId === undefined) this.#begin();
    this.#attempted++;
    const id = this.#client.sessionId;
    const text = await this.#send("/count");
    if (text === undefined) return false;
    if (this.#mayHaveEnded && this.#client.sessionId !== id)
      [this.#acknowledged, this.#attempted] = [0, 1];
    this.#mayHaveEnded = false;
    const count = Number(text);
    if (count <= this.#acknowledged || count > this.#attempted) this.seen.wrongCounts++;
    this.#acknowledged = count;
    return true;
  }

  async end(): Promise<void> {
    if (this.#client.sessionId === undefined) return;
    const replay = this.#client.clone();
    this.#mayHaveEnded = true;
    await this.#send("/end");
    if (this.#client.sessionId !== undefined) return;
    this.ended.push(replay);
    this.#begin();
  }

  #begin(): void {
    this.#client = new TestClient(this.#app);
    [this.#acknowledged, this.#attempted, this.#mayHaveEnded] = [0, 0, false];
  }

  /** The page, or `undefined` for a 503. */
  async #send(path: string): Promise<string | undefined> {
    const begun = performance.now();
    const response = await this.#client.send(path);
    this.seen.longest = Math.max(this.seen.longest, performance.now() - begun);
    if (response.status === 200) {
      this.seen.pages++;
      return response.text();
    }
    if (response.status === 503 && isClean(response)) this.seen.refusals++;
    else this.seen.others++;
    return undefined;
  }
}

/** A 503 sets no cookie. It may clear one: a logout is tried again, and then it may succeed. */
function isClean(response: Response): boolean {
  return response.headers.getSetCookie().every((line) => line.includes("=; "));
}

/**
 * Has visitors count and log out before, during and after outages, as many as the trial wants. Holds
 * them to what is promised of an outage.
 */
async function liveThrough(trial: Trial, backend: SessionBackend, fault: Fault): Promise<void> {
  const app = new Site({ sessionBackend: backend });
  const visitors = Array.from({ length: VISITORS }, () => new Visitor(app));
  const stranger = new TestClient(app);
  let strangers = 0;
  let longestPage = 0;
  let recovery = 0;
  for (let outage = 0; outage < trial.size; outage++) {
    for (const visitor of visitors) expect(await visitor.count()).toBe(true);
    const outageOver = new AbortController();
    const { signal } = outageOver;
    let mended = 0;
    const living = visitors.map(async (visitor) => {
      while (!signal.aborted) {
        await (trial.random(LOGOUTS) === 0 ? visitor.end() : visitor.count());
        await Bun.sleep(trial.random(20));
      }
      while (!(await visitor.count())) await Bun.sleep(5);
      recovery = Math.max(recovery, performance.now() - mended);
    });
    const looking = (async () => {
      for (; !signal.aborted; strangers++) {
        const begun = performance.now();
        expect(await stranger.text("/about")).toBe("About us");
        longestPage = Math.max(longestPage, performance.now() - begun);
        await Bun.sleep(10);
      }
    })();
    await Bun.sleep(trial.random(100));
    const mend = await fault();
    await Bun.sleep(outage === 0 ? FIRST : SHORTEST + trial.random(LONGEST - SHORTEST));
    await mend();
    mended = performance.now();
    outageOver.abort();
    await Promise.all([...living, looking]);
    trial.progress(outage + 1);
  }
  const ended = visitors.flatMap((visitor) => visitor.ended);
  const alive = await Promise.all(ended.map((replay) => replay.text("/look")));
  await app.sessions.close();

  const sum = (what: keyof Visitor["seen"]): number =>
    visitors.reduce((all, { seen }) => all + seen[what], 0);
  const answers = sum("pages") + sum("refusals") + sum("others");
  trial.never("counts lost or counted twice", sum("wrongCounts"), sum("pages"));
  trial.never(
    "ended sessions alive",
    alive.filter((page) => page !== "nobody").length,
    ended.length,
  );
  trial.never("responses other than pages and clean 503s", sum("others"), answers);
  expect(sum("refusals")).toBeGreaterThan(0);
  const longest = Math.max(...visitors.map(({ seen }) => seen.longest));
  trial.atMost("longest answer", longest, DEADLINE, "ms");
  trial.atMost("recovered after", recovery, RECOVERY, "ms");
  trial.atMost("longest page without a session", longestPage, AT_ONCE, "ms");
  trial.note(`${number(sum("refusals"))} times 503, ${number(strangers)} pages without a session`);
}

/** The line to Redis breaks. */
function onRedisLine(breakDown: (proxy: TcpProxy, trial: Trial) => void): Prepare {
  return async (stack, trial) => {
    const { prefix } = stack.use(new Keyspace());
    const { proxy, url } = await brittle(redis.url);
    stack.use(proxy);
    return { backend: new RedisSessionBackend(url, { prefix }), fault: breakLine };

    function breakLine(): Mend {
      breakDown(proxy, trial);
      return () => proxy.pass();
    }
  };
}

/** A Redis of its own breaks. */
function onRedis(breakDown: (server: RedisServer) => Mend | Promise<Mend>): Prepare {
  return async (stack) => {
    const server = await RedisServer.start("--appendonly", "yes", "--appendfsync", "always");
    stack.use(server);
    return {
      backend: new RedisSessionBackend(server.url),
      fault: () => breakDown(server),
    };
  };
}

/** PostgreSQL breaks, or the line to it. */
function onPostgres(
  breakDown: (line: { readonly proxy: TcpProxy; readonly schema: Schema }) => Mend | Promise<Mend>,
): Prepare {
  return async (stack) => {
    const schema = stack.use(await Schema.create());
    const proxy = stack.use(await TcpProxy.to(readPort(postgres.url)));
    return {
      backend: new PostgresSessionBackend(schema.urlAt(proxy.port)),
      fault: () => breakDown({ proxy, schema }),
    };
  };
}

function onPostgresLine(breakDown: (proxy: TcpProxy) => void): Prepare {
  return onPostgres(({ proxy }) => {
    breakDown(proxy);
    return () => proxy.pass();
  });
}

async function crashPostgres(stack: AsyncDisposableStack): Promise<Setting> {
  const server = stack.use(await PostgresServer.start());
  const schema = stack.use(await Schema.create(server.url));
  return {
    backend: new PostgresSessionBackend(schema.url),
    async fault() {
      await server.crash();
      return () => server.start();
    },
  };
}

const REDIS_LINE: Readonly<Record<string, Prepare>> = {
  "refuses connections": onRedisLine((proxy) => proxy.refuse()),
  "is behind a network that swallows everything": onRedisLine((proxy) => proxy.swallow()),
  "is behind a network that delivers everything late": onRedisLine((proxy) => proxy.hold()),
  "is cut off in the middle of replies": onRedisLine((proxy, trial) =>
    proxy.cut(trial.random(300)),
  ),
};

const REDIS_SERVER: Readonly<Record<string, Prepare>> = {
  "is suspended": onRedis((server) => {
    server.freeze();
    return () => server.thaw();
  }),
  "is killed, and reads its log when it comes back": onRedis(async (server) => {
    await server.kill();
    return () => server.start();
  }),
  "has no memory left": onRedis(async (server) => {
    await server.command("CONFIG", "SET", "maxmemory", "1");
    return () => server.command("CONFIG", "SET", "maxmemory", "0");
  }),
};

const POSTGRES: Readonly<Record<string, Prepare>> = {
  "refuses connections": onPostgresLine((proxy) => proxy.refuse()),
  "is behind a network that forgets connections": onPostgresLine((proxy) => proxy.swallow()),
  "is behind a network that holds everything back": onPostgresLine((proxy) => proxy.hold()),
  "loses connections in the middle of a reply": onPostgresLine((proxy) => proxy.cut(30)),
  "ends connections, and new ones as soon as they are there": onPostgres(({ schema }) => {
    const end = async (): Promise<void> => {
      await schema.sql`
        SELECT pg_terminate_backend(pid) FROM pg_stat_activity
        WHERE starts_with(application_name, ${schema.name})`;
    };
    const timer = setInterval(end, 20);
    return () => clearInterval(timer);
  }),
  "has its table locked by another client": onPostgres(async ({ schema }) => {
    const rival = await schema.begin("LOCK TABLE bunpie_sessions IN ACCESS EXCLUSIVE MODE");
    return () => rival.rollback();
  }),
};

let log: Disposable;
beforeAll(() => {
  log = quiet("error");
});
afterAll(() => log[Symbol.dispose]());

describe.each([
  ["Redis", 40, redis.isThere, REDIS_LINE],
  ["Redis", 40, hasRedisServer, REDIS_SERVER],
  ["PostgreSQL", 20, postgres.isThere, POSTGRES],
  ["PostgreSQL", 20, canStartPostgres, { crashes: crashPostgres }],
] as const)("outages of %s", (store, full, canTry, faults) => {
  for (const [what, prepare] of Object.entries<Prepare>(faults)) {
    describe.skipIf(!canTry)(what, () => {
      guarantee(
        `${store} ${what}: 503 in time, pages for visitors without a session, nothing acknowledged lost, and recovery within a second`,
        { id: "G11", on: what, gate: 1, full, of: "outages", waits: true },
        async (trial) => {
          await using stack = new AsyncDisposableStack();
          const { backend, fault } = await prepare(stack, trial);
          await liveThrough(trial, backend, fault);
        },
      );
    });
  }
});
