import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { join } from "node:path";

import type { Contestant } from "./contestants.ts";
import { pin } from "./pin.ts";
import type { ServerReport } from "./servers/announce.ts";

// Beside the sources and not in the system's temporary folder, which is often in memory: there
// `synchronous = FULL` would cost nothing.
const DATA = join(import.meta.dir, "../node_modules/.cache/bench");

/** How often, and with how many milliseconds in between, a server is asked whether it is done. */
const POLLS = 100;
const POLL = 50;

/** A contestant's server: a process of its own, with a folder of its own. */
export class ServerProcess implements AsyncDisposable {
  readonly folder: string;
  readonly #child: Bun.Subprocess;
  #report = Promise.withResolvers<ServerReport>();
  #url = "";

  private constructor(folder: string, { server, storage }: Contestant) {
    const program = join(import.meta.dir, "servers", `${server}.ts`);
    const command = [process.execPath, program, join(folder, "sessions.db"), storage];
    this.folder = folder;
    this.#child = Bun.spawn(pin("server", command), {
      env: { ...process.env, NODE_ENV: "production" },
      stdout: "ignore",
      stderr: "inherit",
      ipc: (report: ServerReport) => this.#report.resolve(report),
      onExit: (_, code) => this.#report.reject(new Error(`${server}.ts ended with code ${code}.`)),
    });
  }

  /** @throws Error if the server does not start. */
  static async start(contestant: Contestant): Promise<ServerProcess> {
    await mkdir(DATA, { recursive: true });
    const server = new ServerProcess(await mkdtemp(join(DATA, "run-")), contestant);
    server.#url = (await server.#report.promise).url;
    return server;
  }

  get pid(): number {
    return this.#child.pid;
  }

  /** The address of a page. */
  url(path: string): string {
    return new URL(path, this.#url).href;
  }

  /** What the server says of itself now. One question at a time. */
  report(): Promise<ServerReport> {
    this.#report = Promise.withResolvers();
    this.#child.send("report");
    return this.#report.promise;
  }

  /**
   * Settles once the server has ended the requests that wrk had sent and no longer waited for.
   *
   * @throws Error if that takes more than five seconds.
   */
  async drained(): Promise<void> {
    let handled: number | undefined;
    for (let poll = 0; poll < POLLS; poll++) {
      const report = await this.report();
      if (report.pending === 0 && report.handled === handled) return;
      handled = report.handled;
      await Bun.sleep(POLL);
    }
    throw new Error("The server is still at work five seconds after the load has ended.");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.kill();
    await this.#child.exited;
    await rm(this.folder, { recursive: true });
  }
}
