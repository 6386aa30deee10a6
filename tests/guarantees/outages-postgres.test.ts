import { afterAll, beforeAll, describe, expect } from "bun:test";

import { App } from "../../src/app/app.ts";
import { PostgresSessionBackend } from "../../src/backends/postgres/backend.ts";
import { TestClient } from "../../src/testing/client.ts";
import { canStartPostgres, PostgresServer } from "../support/postgres-server.ts";
import { portOf, postgres, Schema } from "../support/postgres.ts";
import { quiet } from "../support/quiet.ts";
import { TcpProxy } from "../support/tcp-proxy.ts";
import type { Trial } from "./figure.ts";
import { guarantee, number } from "./figure.ts";

/** What a visitor may wait for at most, in milliseconds; the default. */
const STORE_TIMEOUT = 2_000;

/** How long an outage lasts at least; at most, it is twice as long. */
const SHORT = 300;
/** Longer than anybody waits, for faults that make people wait. */
const LONG = STORE_TIMEOUT;

/** How soon after an outage everybody is to be served again. */
const RECOVERY = 1_000;

/** More than there are connections, so that each of those is in use. */
const VISITORS = 16;

class Site extends App<{ count: number }> {
  async count(): Promise<string> {
    let count = 0;
    await this.request.session.update((stored) => {
      count = (stored.count ?? 0) + 1;
      stored.count = count;
    });
    return String(count);
  }
  about(): string {
    return "About us";
  }
}

/** A visitor who counts, and remembers what was acknowledged. */
class Visitor {
  readonly client: TestClient;
  acknowledged = 0;
  attempted = 0;
  /** Answers that were neither a page nor a 503 without a cookie. */
  odd = 0;
  refused = 0;
  /** The longest that any answer took, in milliseconds. */
  longest = 0;

  constructor(app: Site) {
    this.client = new TestClient(app);
  }

  async count(): Promise<boolean> {
    this.attempted++;
    const begun = performance.now();
    const response = await this.client.send("/count");
    this.longest = Math.max(this.longest, performance.now() - begun);
    if (response.status === 200) this.acknowledged = Number(await response.text());
    else if (response.status === 503 && !response.headers.has("set-cookie")) this.refused++;
    else this.odd++;
    return response.status === 200;
  }

  /** Counts until it succeeds, and gives how long that took, in milliseconds. */
  async recover(): Promise<number> {
    const begun = performance.now();
    while (!(await this.count())) await Bun.sleep(5);
    return performance.now() - begun;
  }
}

/** Where the app finds PostgreSQL, and how a test gets at it from behind. */
interface Line {
  readonly proxy: TcpProxy;
  readonly schema: Schema;
}

/** Breaks something, and gives what mends it. */
type Fault = (line: Line) => Promise<Mend> | Mend;
type Mend = () => unknown;

function network(breakDown: (proxy: TcpProxy) => void): Fault {
  return ({ proxy }) => {
    breakDown(proxy);
    return () => proxy.pass();
  };
}

/** Ends the app's connections, and new ones as soon as they are there. */
function terminate({ schema }: Line): Mend {
  const end = async (): Promise<void> => {
    await schema.sql`
      SELECT pg_terminate_backend(pid) FROM pg_stat_activity
      WHERE application_name = ${schema.name}`;
  };
  const timer = setInterval(end, 20);
  return () => clearInterval(timer);
}

async function lock({ schema }: Line): Promise<Mend> {
  const rival = await schema.begin("LOCK TABLE bunpie_sessions IN ACCESS EXCLUSIVE MODE");
  return () => rival.rollback();
}

/** Visitors count before, during and after outages of this kind. */
async function countThrough(
  trial: Trial,
  line: Line,
  fault: Fault,
  duration: number,
): Promise<void> {
  using _log = quiet("error");
  const url = line.schema.urlAt(line.proxy.port);
  const app = new Site({ sessionBackend: new PostgresSessionBackend(url) });
  const visitors = Array.from({ length: VISITORS }, () => new Visitor(app));
  const stranger = new TestClient(app);
  await Promise.all(visitors.map((visitor) => visitor.count()));
  let pages = 0;
  let recovery = 0;
  for (let outage = 0; outage < trial.size; outage++) {
    const mend = await fault(line);
    const end = new AbortController();
    const untilItEnds = async (visit: () => Promise<unknown>): Promise<void> => {
      for (; !end.signal.aborted; await Bun.sleep(20)) await visit();
    };
    const visiting = [
      ...visitors.map((visitor) => untilItEnds(() => visitor.count())),
      untilItEnds(async () => {
        expect(await stranger.text("/about")).toBe("About us");
        pages++;
      }),
    ];
    await Bun.sleep(duration + trial.random(duration));
    end.abort();
    await mend();
    const recovering = visitors.map((visitor) => visitor.recover());
    recovery = Math.max(recovery, ...(await Promise.all(recovering)));
    await Promise.all(visiting);
    trial.progress(outage);
  }
  const sum = (key: "acknowledged" | "attempted" | "odd" | "refused"): number =>
    visitors.reduce((all, visitor) => all + visitor[key], 0);
  let wrong = 0;
  for (const visitor of visitors) {
    const before = visitor.acknowledged;
    await visitor.count();
    if (visitor.acknowledged <= before || visitor.acknowledged > visitor.attempted) wrong++;
  }
  await app.sessions.close();
  trial.never("counters that lost or doubled a visit", wrong, VISITORS);
  trial.never("answers that were neither a page nor a clean 503", sum("odd"), sum("attempted"));
  expect(sum("refused")).toBeGreaterThan(0);
  const longest = Math.max(...visitors.map((visitor) => visitor.longest));
  trial.atMost("longest answer", longest, STORE_TIMEOUT + 100, "ms");
  trial.atMost("all well after", recovery, RECOVERY, "ms");
  trial.note(`${number(sum("refused"))} answers of 503, ${number(pages)} pages to strangers`);
}

function promise(what: string, show: (trial: Trial) => Promise<void>): void {
  guarantee(
    {
      id: "G11",
      name: `PostgreSQL ${what}: 503 in time for who has a session, pages for who has none, and all well a second later`,
      quick: 1,
      full: 20,
      of: "outages",
    },
    show,
  );
}

describe.skipIf(!postgres.isThere)("outages of PostgreSQL", () => {
  let schema: Schema;
  beforeAll(async () => {
    schema = await Schema.create();
  });
  afterAll(() => schema.drop());

  for (const [what, fault, duration] of [
    ["refuses connections", network((proxy) => proxy.refuse()), SHORT],
    ["is behind a network that forgets connections", network((proxy) => proxy.swallow()), LONG],
    ["is behind a network that holds everything back", network((proxy) => proxy.hold()), LONG],
    ["loses connections in the middle of a reply", network((proxy) => proxy.cut(30)), SHORT],
    ["ends connections", terminate, SHORT],
    ["has its table locked by somebody else", lock, LONG],
  ] as const) {
    promise(what, async (trial) => {
      await using proxy = await TcpProxy.to(portOf(postgres.url));
      await countThrough(trial, { proxy, schema }, fault, duration);
    });
  }
});

describe.skipIf(!canStartPostgres)("a crash of PostgreSQL", () => {
  promise("crashes", async (trial) => {
    await using server = await PostgresServer.start();
    await using schema = await Schema.create(server.url);
    await using proxy = await TcpProxy.to(portOf(server.url));
    const crash = async (): Promise<Mend> => {
      await server.crash();
      return () => server.start();
    };
    await countThrough(trial, { proxy, schema }, crash, LONG);
  });
});
