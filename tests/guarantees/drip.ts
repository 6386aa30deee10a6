import type { Socket } from "node:net";
import { connect } from "node:net";

/** A request that somebody sends as slowly as they can: a beginning, and then a byte a second. */
export class Drip {
  /** When the server cut it off, in seconds after it began. */
  readonly cut: Promise<number>;
  readonly #socket: Socket;
  readonly #timer: Timer;

  constructor(port: number, beginning: string) {
    const { promise, resolve } = Promise.withResolvers<number>();
    this.cut = promise;
    const begun = performance.now();
    this.#socket = connect(port, "127.0.0.1", () => this.#socket.write(beginning));
    this.#timer = setInterval(() => this.#socket.write("x"), 1000);
    this.#socket.on("error", () => this.#socket.destroy());
    this.#socket.on("close", () => {
      clearInterval(this.#timer);
      resolve((performance.now() - begun) / 1000);
    });
  }

  /** Gives up. */
  stop(): void {
    this.#socket.destroy();
  }
}
