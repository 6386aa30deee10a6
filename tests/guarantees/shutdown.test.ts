import { describe, expect } from "bun:test";
import { readdirSync } from "node:fs";

import { SqliteSessionBackend } from "../../src/backends/sqlite/backend.ts";
import { Sessions } from "../../src/http/sessions.ts";
import { TestClient } from "../../src/testing/client.ts";
import { Connection } from "../support/connection.ts";
import { Folder } from "../support/folder.ts";
import { ServedApp } from "../support/processes/served-app.ts";
import { head } from "../support/raw.ts";
import { TRIALS } from "../support/trials.ts";
import type { Trial } from "./figure.ts";
import { guarantee, SLACK } from "./figure.ts";

/** So long, in milliseconds, an end may take: 50 times what it takes on an idle machine. */
const LIMIT = 15_000;
/** Ends what would not end by itself, in the time that a run has for a seeded fault. */
const SHUTDOWN_TIMEOUT = SLACK === 1 ? 10_000 : 30_000;

const WRITERS = 500;
const UPLOADERS = 20;
const SLOW_READERS = 5;
const IDLERS = 50;
const DAWDLERS = 20;
const SOCKETS = 50;
const STREAMS = 20;

/** What happened to all clients together. */
interface Tally {
  requests: number;
  /** Requests that were sent and not answered, or not to the end. */
  cut: number;
  acknowledged: number;
  lost: number;
  /** Sockets and event streams that were not ended as they should be. */
  torn: number;
}

/** A client on a connection of its own, with a session, whose every request counts up in it. */
class Counter {
  cookie = "";
  /** The last count that was acknowledged. */
  count = 0;
  readonly #connection: Connection;
  readonly #tally: Tally;

  constructor(connection: Connection, tally: Tally) {
    this.#connection = connection;
    this.#tally = tally;
  }

  /** Sends requests, one after the other, until the server says that this was the last. */
  async work(): Promise<void> {
    while (!this.#connection.isClosed) {
      this.#connection.send(keptAlive("GET /count", { cookie: this.cookie }));
      if (!(await this.#read())) return;
    }
  }

  /** Sends a body, the second half of it only when `isTime`. */
  async upload(isTime: Promise<unknown>): Promise<void> {
    const half = "x".repeat(10_000);
    this.#connection.send(keptAlive("POST /upload", { "content-length": String(2 * half.length) }));
    this.#connection.send(half);
    await isTime;
    this.#connection.send(half);
    await this.#read();
  }

  /** Asks for a long page, and begins to read it only when `isTime`. */
  async readSlowly(isTime: Promise<unknown>): Promise<void> {
    this.#connection.pause();
    this.#connection.send(keptAlive("GET /big"));
    await isTime;
    this.#connection.resume();
    await this.#read();
  }

  /** `false` if this was the last answer. */
  async #read(): Promise<boolean> {
    this.#tally.requests++;
    const answer = await this.#connection.answer();
    if (answer?.status !== 200) {
      this.#tally.cut++;
      return false;
    }
    this.#tally.acknowledged++;
    this.count++;
    const setCookie = answer.headers.get("set-cookie");
    if (setCookie !== null) this.cookie = setCookie.split(";")[0] ?? "";
    return answer.headers.get("connection") !== "close";
  }
}

function keptAlive(line: string, headers: Readonly<Record<string, string>> = {}): string {
  return head(`${line} HTTP/1.1`, { connection: "keep-alive", ...headers });
}

/** One service's end: everything is under way when the signal comes. */
async function endOne(
  file: string,
  isDawdling: boolean,
  trial: Trial,
  tally: Tally,
): Promise<number> {
  using folder = new Folder();
  const path = folder.file("sessions.db");
  const env = { DATABASE: path, SHUTDOWN_TIMEOUT: String(SHUTDOWN_TIMEOUT) };
  await using child = new ServedApp(file, { env });
  const port = Number((await child.url()).port);
  const open = (count: number): Promise<Connection[]> =>
    Promise.all(Array.from({ length: count }, () => Connection.open(port)));
  const counters = async (count: number): Promise<Counter[]> =>
    (await open(count)).map((connection) => new Counter(connection, tally));

  const { promise: isTime, resolve: signalled } = Promise.withResolvers<void>();
  const idlers = await open(IDLERS);
  for (const idler of idlers) {
    idler.send(keptAlive("GET /count"));
    await idler.answer();
  }
  const visitor = new TestClient(`http://127.0.0.1:${port}`);
  const sockets = await Promise.all(Array.from({ length: SOCKETS }, () => visitor.socket("/echo")));
  const streams = Array.from({ length: STREAMS }, () => visitor.events("/events"));
  for (const stream of streams) expect((await stream.next()).value?.data).toBe("open");
  const dawdlers = await open(isDawdling ? DAWDLERS : 0);
  for (const dawdler of dawdlers) dawdler.send("GET /count HTTP/1.1\r\nhost: lo");
  const [writers, uploaders, readers] = await Promise.all(
    [WRITERS, UPLOADERS, SLOW_READERS].map(counters),
  );
  const all = [...(writers ?? []), ...(uploaders ?? []), ...(readers ?? [])];
  const working = [
    ...(writers ?? []).map((each) => each.work()),
    ...(uploaders ?? []).map((each) => each.upload(isTime)),
    ...(readers ?? []).map((each) => each.readSlowly(isTime)),
  ];
  const before = tally.acknowledged;
  while (tally.acknowledged - before < WRITERS) await Bun.sleep(1);
  await Bun.sleep(trial.random(200));

  const since = performance.now();
  child.process.kill("SIGTERM");
  setTimeout(signalled, 150);
  // Those who never finish are waited for until the timeout: in full, but not in a suite.
  if (TRIALS !== "full")
    void Promise.all(working).then(() => dawdlers.forEach((each) => each.close()));
  expect(await child.ended()).toBe(0);
  const took = performance.now() - since;
  await Promise.all(working);
  expect(child.errors).toBe("");
  for (const connection of [...idlers, ...dawdlers]) await connection.closed();
  for (const { closed } of sockets) if ((await closed).code !== 1001) tally.torn++;
  for (const stream of streams) {
    const ended = await stream.next().catch(() => undefined);
    if (ended?.done !== true) tally.torn++;
  }
  expect(readdirSync(folder.path)).toEqual(["sessions.db"]);

  const sessions = new Sessions<{ count: number }>({
    backend: new SqliteSessionBackend(path),
    sweepInterval: 0,
  });
  for (const { cookie, count } of all) {
    const { session } = await sessions.open(
      new Request("http://localhost/", { headers: { cookie } }),
    );
    if (session.count !== count) tally.lost++;
  }
  await sessions.close();
  return took;
}

describe("a service that is shut down under load", () => {
  for (const [way, file] of [
    ["listen()", "busy-listening.ts"],
    ["export default app", "busy-default-export.ts"],
  ] as const) {
    guarantee(
      `SIGTERM under load cuts no request and loses no change, under ${way}`,
      { id: "G12", on: way, gate: 2, full: 15, of: "shutdowns" },
      async (trial) => {
        const tally: Tally = { requests: 0, cut: 0, acknowledged: 0, lost: 0, torn: 0 };
        let [slowest, slowestPlain] = [0, 0];
        for (let round = 0; round < trial.size; round++) {
          const isDawdling = round % 2 === 0;
          const took = await endOne(file, isDawdling, trial, tally);
          if (isDawdling) slowest = Math.max(slowest, took);
          else slowestPlain = Math.max(slowestPlain, took);
          expect(tally.cut).toBe(0);
          trial.progress(round + 1);
        }
        trial.never("requests cut", tally.cut, tally.requests);
        trial.never("acknowledged changes lost", tally.lost, tally.acknowledged);
        const live = trial.size * (SOCKETS + STREAMS);
        trial.never("sockets and event streams not ended in order", tally.torn, live);
        trial.always("exit code 0", trial.size);
        trial.atMost("slowest shutdown", slowestPlain, LIMIT, "ms");
        trial.atMost("slowest with half-sent headers", slowest, LIMIT + 500, "ms");
      },
    );
  }
});
