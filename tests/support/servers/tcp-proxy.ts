import type { AddressInfo, Server, Socket } from "node:net";
import { connect, createServer } from "node:net";

/** What happens to bytes on their way. */
type Mode =
  /** They arrive. */
  | "pass"
  /** They are lost, in both directions, and so are the connections that lose them. */
  | "swallow"
  /** They wait, in both directions, and arrive when all is well again. */
  | "hold"
  /** Some bytes of the replies arrive on each connection, and then it is reset. */
  | "cut";

/** A line to a server, which a test can break in the ways in which lines break. */
export class TcpProxy implements AsyncDisposable {
  /** The port that new connections lead to. */
  target: number;
  /** How many connections were taken. */
  connections = 0;
  readonly #host: string;
  #mode: Mode = "pass";
  #cutAfter = 0;
  #delay = 0;
  #port = 0;
  #server: Server | undefined;
  readonly #lines = new Set<Line>();

  private constructor(target: number, host: string) {
    this.target = target;
    this.#host = host;
  }

  static async to(target: number, host = "127.0.0.1"): Promise<TcpProxy> {
    const proxy = new TcpProxy(target, host);
    await proxy.pass();
    return proxy;
  }

  /** Where the proxy listens: always the same. */
  get port(): number {
    return this.#port;
  }

  /** How many connections there are at the moment. */
  get open(): number {
    return this.#lines.size;
  }

  /** How many pieces are kept back at the moment. */
  get held(): number {
    return [...this.#lines].reduce((sum, line) => sum + line.held, 0);
  }

  /** How many connections have lost something, and so everything that comes later. */
  get lost(): number {
    return [...this.#lines].filter((line) => line.isLost).length;
  }

  /** All is well, again. */
  async pass(): Promise<void> {
    this.#mode = "pass";
    this.#delay = 0;
    for (const line of this.#lines) line.release();
    if (this.#server !== undefined) return;
    const server = createServer((client) => this.#take(client));
    await new Promise<void>((resolve) => server.listen(this.#port, "127.0.0.1", resolve));
    this.#port = (server.address() as AddressInfo).port;
    this.#server = server;
  }

  /** Nobody listens, and the connections that were there are reset. */
  refuse(): void {
    this.#server?.close();
    this.#server = undefined;
    for (const line of this.#lines) line.reset();
  }

  /** Takes connections and bytes, and nothing comes of them. */
  swallow(): void {
    this.#mode = "swallow";
  }

  /** Keeps each byte back for so many milliseconds. */
  slow(delay: number): void {
    this.#delay = delay;
  }

  /** Keeps bytes back until all is well again, also those whose sender has gone by then. */
  hold(): void {
    this.#mode = "hold";
  }

  /** Keeps back what is held, and what follows it, until all is well again; other connections pass. */
  detain(): void {
    this.#mode = "pass";
  }

  /**
   * Resets connections towards the clients alone. What was kept back still arrives when all is well again, and
   * new connections pass.
   */
  strand(): void {
    this.#mode = "pass";
    for (const line of this.#lines) line.client.resetAndDestroy();
  }

  /** Passes on so many bytes of replies on each connection, and then resets it. */
  cut(after: number): void {
    this.#mode = "cut";
    this.#cutAfter = after;
    for (const line of this.#lines) line.replied = 0;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.refuse();
  }

  #take(client: Socket): void {
    this.connections++;
    const line = new Line(client, connect(this.target, this.#host));
    this.#lines.add(line);
    line.onEnd = () => this.#lines.delete(line);
    client.on("data", (bytes: Buffer) => line.carry("server", bytes, this.#mode, this.#delay));
    line.server.on("data", (bytes: Buffer) => {
      if (this.#mode === "cut") line.cut(bytes, this.#cutAfter);
      else line.carry("client", bytes, this.#mode, this.#delay);
    });
  }
}

/** One connection through the proxy. */
class Line {
  readonly client: Socket;
  readonly server: Socket;
  /** Bytes of replies that were passed on since the line is to be cut. */
  replied = 0;
  onEnd = (): void => undefined;
  isLost = false;
  #isOver = false;
  readonly #held: (() => void)[] = [];

  constructor(client: Socket, server: Socket) {
    this.client = client;
    this.server = server;
    for (const socket of [client, server]) {
      socket.setNoDelay(true);
      socket.on("error", () => socket.destroy());
      socket.on("close", () => this.#end());
    }
  }

  get held(): number {
    return this.#held.length;
  }

  carry(to: "client" | "server", bytes: Buffer, mode: Mode, delay: number): void {
    const deliver = (): void => void this[to].write(bytes);
    if (mode === "swallow") this.isLost = true;
    if (this.isLost) return;
    if (mode === "hold" || this.held > 0) this.#held.push(deliver);
    else if (delay > 0) setTimeout(deliver, delay);
    else deliver();
  }

  cut(bytes: Buffer, after: number): void {
    const rest = bytes.subarray(0, Math.max(0, after - this.replied));
    this.replied += rest.length;
    // A reset overtakes bytes that have not left yet.
    this.client.write(rest, () => {
      if (this.replied >= after) this.reset();
    });
  }

  release(): void {
    for (const deliver of this.#held.splice(0)) deliver();
    if (this.#isOver) this.#end();
  }

  reset(): void {
    this.#held.length = 0;
    this.client.resetAndDestroy();
    this.#end();
  }

  #end(): void {
    this.#isOver = true;
    if (this.#held.length > 0) return;
    this.client.end();
    this.server.end();
    this.onEnd();
  }
}
