import type { AddressInfo, Server, Socket } from "node:net";
import { connect, createServer } from "node:net";

/** What a network does to the connections through it. */
export type Weather = "fine" | "refused" | "reset" | "black hole" | { readonly delay: number };

/** Stands between a client and a server that listens on this machine, and makes the weather. */
export class TcpProxy implements AsyncDisposable {
  readonly #target: number;
  readonly #sockets = new Set<Socket>();
  #server: Server | undefined;
  #port = 0;
  #weather: Weather = "fine";

  constructor(target: number) {
    this.#target = target;
  }

  /** Where clients connect to: the same throughout. */
  get port(): number {
    return this.#port;
  }

  async start(): Promise<void> {
    const server = createServer((client) => this.#accept(client));
    await new Promise<void>((resolve) => server.listen(this.#port, "127.0.0.1", resolve));
    this.#port = (server.address() as AddressInfo).port;
    this.#server = server;
  }

  /** What a black hole has swallowed arrives when the weather is fine again, as it does with TCP. */
  async change(weather: Weather): Promise<void> {
    this.#weather = weather;
    if (weather === "refused" || weather === "reset") {
      for (const socket of this.#sockets) socket.resetAndDestroy();
    }
    if (weather === "refused") await this.#stop();
    else if (this.#server === undefined) await this.start();
    for (const socket of this.#sockets) {
      if (weather === "black hole") socket.pause();
      else socket.resume();
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await this.#stop();
  }

  #accept(client: Socket): void {
    const server = connect(this.#target, "127.0.0.1");
    this.#join(client, server);
    this.#join(server, client);
    if (this.#weather === "reset") client.resetAndDestroy();
  }

  #join(from: Socket, to: Socket): void {
    this.#sockets.add(from);
    if (this.#weather === "black hole") from.pause();
    from.on("data", (data) => {
      if (typeof this.#weather === "string") to.write(data);
      else setTimeout(() => to.write(data), this.#weather.delay);
    });
    from.on("error", () => from.destroy());
    from.on("close", () => {
      this.#sockets.delete(from);
      to.destroy();
    });
  }

  async #stop(): Promise<void> {
    const server = this.#server;
    this.#server = undefined;
    if (server !== undefined) await new Promise((resolve) => server.close(resolve));
  }
}
