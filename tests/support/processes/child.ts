import { join } from "node:path";

/** A second process, from a script in `tests/support/processes/children`. The two send each other messages. */
export class Child implements AsyncDisposable {
  readonly #process: Bun.Subprocess;
  readonly #inbox: unknown[] = [];
  #wake = (): void => undefined;

  constructor(script: string, ...args: string[]) {
    const path = join(import.meta.dir, "children", `${script}.ts`);
    this.#process = Bun.spawn([process.execPath, path, ...args], {
      stdio: ["ignore", "ignore", "inherit"],
      serialization: "json",
      ipc: (message) => {
        this.#inbox.push(message);
        this.#wake();
      },
      onExit: () => this.#wake(),
    });
  }

  send(message: string): void {
    this.#process.send(message);
  }

  /** The next message from the child. Rejects if it ends without one. */
  async next(): Promise<unknown> {
    while (this.#inbox.length === 0) {
      if (this.#process.exitCode !== null || this.#process.signalCode !== null) {
        throw new Error("The child ended before it said anything.");
      }
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    return this.#inbox.shift();
  }

  /** Settles with the exit code once the child has ended by itself. */
  get exited(): Promise<number> {
    return this.#process.exited;
  }

  async kill(): Promise<void> {
    this.#process.kill("SIGKILL");
    await this.#process.exited;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.kill();
  }
}
