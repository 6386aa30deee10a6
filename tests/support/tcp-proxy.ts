import type { AddressInfo, Server, Socket } from "node:net";
import { connect, createServer } from "node:net";

/** What a network does to the connections through it. */
export type Weather =
  | "fine"
  | "refused"
  | "reset"
  | "black hole"
  | "lost"
  | { readonly delay: number }
  | { readonly cutAfter: number };

/** Stands between a client and a server that listens on this machine, and makes the weather. */
export class TcpProxy implements AsyncDisposable {
  /** How many connections were taken so far. */
  connections = 0;
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

  /**
   * What a black hole has swallowed arrives when the weather is fine again, as it does with TCP. A
   * connection that has lost something stays silent for ever, as one that a firewall has forgotten.
   */
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
    this.connections++;
    const server = connect(this.#target, "127.0.0.1");
    const line: Line = { client, isSilent: false };
    this.#join(line, client, server);
    this.#join(line, server, client);
    if (this.#weather === "reset") client.resetAndDestroy();
  }

  #join(line: Line, from: Socket, to: Socket): void {
    this.#sockets.add(from);
    if (this.#weather === "black hole") from.pause();
    from.on("data", (data: Buffer) => this.#carry(line, data, to));
    from.on("error", () => from.destroy());
    from.on("close", () => {
      this.#sockets.delete(from);
      to.destroy();
    });
  }

  #carry(line: Line, data: Buffer, to: Socket): void {
    const weather = this.#weather;
    if (weather === "lost") line.isSilent = true;
    if (line.isSilent) return;
    if (typeof weather === "string") to.write(data);
    else if ("delay" in weather) setTimeout(() => to.write(data), weather.delay);
    else if (to !== line.client) to.write(data);
    // A reset overtakes bytes that have not left yet.
    else to.write(data.subarray(0, weather.cutAfter), () => to.resetAndDestroy());
  }

  async #stop(): Promise<void> {
    const server = this.#server;
    this.#server = undefined;
    if (server !== undefined) await new Promise((resolve) => server.close(resolve));
  }
}

/** A connection through the proxy. */
interface Line {
  readonly client: Socket;
  /** Whether it has lost something. */
  isSilent: boolean;
}
