import { join } from "node:path";

import { freePort } from "../support/processes/free-port.ts";

/** Which program serves: one of those in `servers/`. */
export type Program = "bunpie" | "naive";

/** In milliseconds: a server that does not come up because its store is down is tried again. */
const AGAIN = 100;

/** One of the servers, which is killed, stopped and restarted, and comes back to its port. */
export class ServerProcess implements AsyncDisposable {
  readonly url: string;
  readonly #args: readonly string[];
  #process: Bun.Subprocess | undefined;

  private constructor(port: number, program: Program, store: string, target: string) {
    this.url = `http://127.0.0.1:${port}`;
    this.#args = [join(import.meta.dir, `servers/${program}.ts`), String(port), store, target];
  }

  static async start(program: Program, store: string, target: string): Promise<ServerProcess> {
    const server = new ServerProcess(await freePort(), program, store, target);
    await server.start();
    return server;
  }

  /** Settles once the server listens. */
  async start(): Promise<void> {
    while (!(await this.#launch())) await Bun.sleep(AGAIN);
  }

  async kill(): Promise<void> {
    this.#process?.kill("SIGKILL");
    await this.#process?.exited;
  }

  /** Ends it in good order. */
  async end(): Promise<void> {
    this.#process?.kill("SIGTERM");
    await this.#process?.exited;
  }

  /** It stands still, in whatever it does. */
  freeze(): void {
    this.#process?.kill("SIGSTOP");
  }

  thaw(): void {
    this.#process?.kill("SIGCONT");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
  }

  /** Whether it came up. */
  async #launch(): Promise<boolean> {
    const { promise, resolve } = Promise.withResolvers<boolean>();
    this.#process = Bun.spawn([process.execPath, ...this.#args], {
      env: { ...process.env, NODE_ENV: "production" },
      stdio: ["ignore", "ignore", "ignore"],
      serialization: "json",
      ipc: () => resolve(true),
      onExit: () => resolve(false),
    });
    return promise;
  }
}
