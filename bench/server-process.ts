import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { join } from "node:path";

import { pin } from "./pin.ts";
import type { Place } from "./place.ts";
import { makePlace } from "./place.ts";
import type { Command, ServerReport } from "./servers/announce.ts";
import type { Subject } from "./subjects.ts";

// Beside the sources, because the system's temporary folder is often in memory, where
// `synchronous = FULL` would cost nothing.
const DATA = join(import.meta.dir, "../node_modules/.cache/bench");

/** How often a server is asked whether it is done, and the pause in between, in milliseconds. */
const POLLS = 250;
const POLL = 20;
/** How many times in a row it has to say so, because a handler's write may still be in progress. */
const QUIET_POLLS = 4;

/** In milliseconds. */
const START_TIMEOUT = 20_000;

/** What all processes of a server together have used and done. */
export type Usage = Pick<ServerReport, "handled" | "pending" | "cpu" | "rss"> & {
  readonly events: Readonly<Record<string, number>>;
};

/** One process of a server, which is asked one question at a time. */
class Process {
  readonly #child: Bun.Subprocess;
  #answer = Promise.withResolvers<unknown>();

  constructor(command: readonly string[]) {
    this.#child = Bun.spawn([...command], {
      env: { ...process.env, NODE_ENV: "production", NODE_NO_WARNINGS: "1" },
      stdio: ["ignore", "ignore", "pipe"],
      serialization: "json",
      ipc: (message) => this.#answer.resolve(message),
      onExit: (_, code) => void this.#fail(code),
    });
  }

  get pid(): number {
    return this.#child.pid;
  }

  async greeting(): Promise<ServerReport> {
    const timer = setTimeout(
      () => this.#answer.reject(new Error("The server did not start.")),
      START_TIMEOUT,
    );
    try {
      return (await this.#answer.promise) as ServerReport;
    } finally {
      clearTimeout(timer);
    }
  }

  ask(command: Command): Promise<unknown> {
    this.#answer = Promise.withResolvers();
    this.#child.send(command);
    return this.#answer.promise;
  }

  async #fail(code: number | null): Promise<void> {
    this.#answer.promise.catch(() => undefined);
    const said = await new Response(this.#child.stderr as ReadableStream).text();
    const reason = /^(?:error|\w*Error): .+$/m.exec(said)?.[0] ?? `it ended with code ${code}`;
    this.#answer.reject(new Error(reason));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // Some servers wait for open connections before they end.
    this.#child.kill("SIGKILL");
    await this.#child.exited;
  }
}

/** A subject's server, with its own processes and folder. */
export class ServerProcess implements AsyncDisposable {
  readonly subject: Subject;
  readonly folder: string;
  readonly place: Place;
  readonly #processes: Process[] = [];
  #url = "";

  private constructor(subject: Subject, folder: string, place: Place) {
    this.subject = subject;
    this.folder = folder;
    this.place = place;
  }

  /** @throws Error if the server does not start, with its output. */
  static async start(subject: Subject): Promise<ServerProcess> {
    await mkdir(DATA, { recursive: true });
    const folder = await mkdtemp(join(DATA, "run-"));
    const server = new ServerProcess(subject, folder, await makePlace(subject.storage, folder));
    try {
      await server.#spawn();
    } catch (error) {
      await server[Symbol.asyncDispose]();
      throw error;
    }
    return server;
  }

  async #spawn(): Promise<void> {
    const { program, runtime = "bun", storage, processes = 1, isUnpinned = false } = this.subject;
    const command = [
      runtime === "bun" ? process.execPath : "node",
      join(import.meta.dir, program),
      storage,
      this.place.target,
      this.place.name,
    ];
    let port = "";
    while (this.#processes.length < processes) {
      const full = [...command, port];
      const started = new Process(isUnpinned ? full : pin("server", full));
      this.#processes.push(started);
      const { url } = await started.greeting();
      this.#url = url;
      // The others listen where the first one does.
      port = new URL(url).port;
    }
  }

  /** The address of a page. */
  url(path: string): string {
    return new URL(path, this.#url).href;
  }

  get pids(): readonly number[] {
    return this.#processes.map(({ pid }) => pid);
  }

  /** Makes the first process do something that only this subject can do. */
  async ask(command: Command): Promise<unknown> {
    return this.#processes[0]?.ask(command);
  }

  /** What the server has used and done by now. */
  async report(): Promise<Usage> {
    const reports = await Promise.all(
      this.#processes.map((each) => each.ask({ name: "report" }) as Promise<ServerReport>),
    );
    const sum = (read: (report: ServerReport) => number): number =>
      reports.reduce((total, report) => total + read(report), 0);
    const events: Record<string, number> = {};
    for (const report of reports) {
      for (const [name, count] of Object.entries(report.events ?? {})) {
        events[name] = (events[name] ?? 0) + count;
      }
    }
    return {
      handled: sum(({ handled }) => handled),
      pending: sum(({ pending }) => pending),
      cpu: sum(({ cpu }) => cpu),
      rss: sum(({ rss }) => rss),
      events,
    };
  }

  /**
   * The report of the server once it has finished the requests that wrk had sent but no longer waited for.
   *
   * @throws Error if that takes more than five seconds.
   */
  async drained(): Promise<Usage> {
    let last: string | undefined;
    let quiet = 0;
    for (let poll = 0; poll < POLLS; poll++) {
      const usage = await this.report();
      // Bun does not count a request as pending if its connection is closed, although its handler still runs.
      const now = JSON.stringify([usage.handled, usage.events]);
      quiet = usage.pending === 0 && now === last ? quiet + 1 : 0;
      if (quiet === QUIET_POLLS) return usage;
      last = now;
      await Bun.sleep(POLL);
    }
    throw new Error("The server is still at work five seconds after the load has ended.");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const each of this.#processes) await each[Symbol.asyncDispose]();
    await this.place.remove();
    await rm(this.folder, { recursive: true });
  }
}
