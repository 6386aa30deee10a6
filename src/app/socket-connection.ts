import { HttpError } from "./errors.ts";
import type { Host } from "./live.ts";
import { hosts, onSessionEnd } from "./live.ts";

/** A message as it arrives: text, or bytes. */
export type RawMessage = string | Uint8Array<ArrayBuffer>;

/** Bun's socket, as far as it is used here. */
export interface Wire {
  binaryType?: "nodebuffer" | "arraybuffer" | "uint8array" | "blob";
  send(data: RawMessage): number;
  close(code: number, reason: string): void;
  subscribe(topic: string): unknown;
  unsubscribe(topic: string): unknown;
  publish(topic: string, data: RawMessage): unknown;
  pause(): void;
  resume(): void;
}

/** The socket is closed. Ends the page whose socket it is, and nobody is told. */
class SocketClosed extends Error {
  override readonly name = "SocketClosed";

  readonly connection: SocketConnection;

  constructor(connection: SocketConnection) {
    super("The socket is closed.");
    this.connection = connection;
  }
}

/** How much may have arrived that the page has not read. */
const MAX_MESSAGES = 64;
const MAX_SIZE = 256 * 1024;

/** The members of a header field that is a list (RFC 9110, 5.6.1). */
function parseList(field: string | null): readonly string[] {
  const members = (field ?? "").split(",").map((member) => member.trim());
  return members.filter((member) => member !== "");
}

/** A WebSocket from the handshake to its end, between Bun, which knows of events, and a page, which waits. */
export class SocketConnection {
  /** What the client offers. */
  readonly protocols: readonly string[];
  /** The subprotocol that is agreed on; `""` for none. */
  protocol: string;
  readonly #host: Host;
  readonly #asked = Promise.withResolvers<void>();
  readonly #opened = Promise.withResolvers<string>();
  readonly #controller = new AbortController();
  #wire: Wire | undefined;
  #isAsked = false;
  #isClosed = false;
  #leave: readonly (() => void)[] = [];

  #messages: RawMessage[] = [];
  #size = 0;
  #isRead = false;
  #isPaused = false;
  #readers: (() => void)[] = [];
  #senders: (() => void)[] = [];

  constructor(host: Host) {
    this.#host = host;
    this.protocols = parseList(host.arrived.headers.get("sec-websocket-protocol"));
    // As Bun does by itself: a browser disconnects where none of those that it offers is chosen.
    this.protocol = this.protocols[0] ?? "";
    this.#opened.promise.catch(() => undefined);
  }

  // For the page.

  /** Settles when the page wants the handshake to be answered. */
  get asked(): Promise<void> {
    return this.#asked.promise;
  }

  /** Aborted when the socket is closed. */
  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /**
   * Agrees on the first of these subprotocols that the client offers; on none, if it offers none at all.
   *
   * @throws HttpError 400 if it offers others; Error if it is too late.
   */
  choose(spoken: readonly string[]): void {
    if (this.#isAsked) {
      throw new Error(
        "The socket is accepted already, and its subprotocol chosen. Call `accept({ protocols })` first, before anything reads messages.",
      );
    }
    const chosen = spoken.find((protocol) => this.protocols.includes(protocol));
    if (chosen === undefined && this.protocols.length > 0) {
      const list = spoken.join(", ");
      throw new HttpError(400, `This page speaks none of the subprotocols offered, but ${list}.`);
    }
    this.protocol = chosen ?? "";
  }

  /** @throws SocketClosed if the handshake is refused after all. */
  accept(): Promise<string> {
    this.#isAsked = true;
    this.#asked.resolve();
    return this.#opened.promise;
  }

  /** The next message; `undefined` once the socket is closed and what had arrived is read. */
  async next(): Promise<RawMessage | undefined> {
    this.#isRead = true;
    for (;;) {
      const message = this.#messages.shift();
      if (message !== undefined) {
        this.#size -= message.length;
        if (this.#isPaused && !this.#holds(0.5)) {
          this.#isPaused = false;
          this.#wire?.resume();
        }
        return message;
      }
      if (this.#isClosed) return undefined;
      await new Promise<void>((resolve) => this.#readers.push(resolve));
    }
  }

  /**
   * Sends, and waits until the client has read so much that there is room for more.
   *
   * @throws SocketClosed in the page of this socket, if it is closed; elsewhere that is `false`.
   */
  async send(data: RawMessage): Promise<boolean> {
    const wire = this.#accepted();
    if (this.#isClosed) return this.#refuseSending();
    const sent = wire.send(data);
    if (sent > 0 || data.length === 0) return true;
    // Beyond the limit Bun drops the message, and closes the socket.
    if (sent < 0) await new Promise<void>((resolve) => this.#senders.push(resolve));
    return sent < 0 && !this.#isClosed ? true : this.#refuseSending();
  }

  subscribe(topic: string): void {
    this.#accepted().subscribe(topic);
  }

  unsubscribe(topic: string): void {
    this.#accepted().unsubscribe(topic);
  }

  publish(topic: string, data: RawMessage, self: boolean): void {
    const wire = this.#accepted();
    if (self) this.#host.server?.publish?.(topic, data);
    else wire.publish(topic, data);
  }

  /** What arrives from now on, and what was not read yet, is dropped. */
  close(code: number, reason: string): void {
    const wire = this.#accepted();
    if (this.#isClosed) return;
    this.#messages = [];
    this.#end();
    wire.close(code, reason);
  }

  // For what calls the page.

  /** The page has returned. */
  finish(): void {
    if (this.isOpen) this.#host.reportLost();
    this.#closeWhenOpen(1000, "");
  }

  /** The page has failed. Before it asked for the handshake's answer, that failure is the answer. */
  fail(error: unknown): void {
    if (!this.#isAsked || (error instanceof SocketClosed && error.connection === this)) return;
    this.#host.report(error);
    this.#closeWhenOpen(1011, "Something went wrong on this server.");
  }

  /** The handshake was answered otherwise. */
  refuse(): void {
    this.#isClosed = true;
    this.#controller.abort();
    this.#opened.reject(new SocketClosed(this));
  }

  // For Bun.

  get isOpen(): boolean {
    return this.#wire !== undefined;
  }

  open(wire: Wire): void {
    wire.binaryType = "uint8array";
    this.#wire = wire;
    this.#leave = [
      this.#host.site.live.add(() => this.close(1001, "The server is shutting down.")),
      onSessionEnd(this.#host, (reason) => this.close(4401, `The session has ended: ${reason}.`)),
    ];
    this.#opened.resolve(this.protocol);
  }

  receive(message: RawMessage): void {
    if (this.#isClosed) return;
    this.#messages.push(message);
    this.#size += message.length;
    this.#readers.shift()?.();
    if (!this.#holds(1) || this.#isPaused) return;
    if (this.#isRead) {
      // The client waits until the page has read what there is.
      this.#isPaused = true;
      this.#wire?.pause();
    } else this.close(1013, "Nobody reads these messages.");
  }

  drain(): void {
    const senders = this.#senders;
    this.#senders = [];
    for (const resolve of senders) resolve();
  }

  /** The client has closed it, or is gone. What it sent before is still read. */
  closed(): void {
    this.#end();
  }

  /** Whether this part of what may wait for the page does so. */
  #holds(part: number): boolean {
    return this.#messages.length >= part * MAX_MESSAGES || this.#size >= part * MAX_SIZE;
  }

  #accepted(): Wire {
    if (this.#wire !== undefined) return this.#wire;
    if (this.#isClosed) throw new SocketClosed(this);
    throw new Error(
      "The socket is not accepted yet. Call `await socket.accept()` first; to refuse it, throw an error or return a response.",
    );
  }

  #refuseSending(): false {
    if (hosts.getStore() === this.#host) throw new SocketClosed(this);
    return false;
  }

  #closeWhenOpen(code: number, reason: string): void {
    this.#opened.promise.then(
      () => this.close(code, reason),
      () => undefined,
    );
  }

  #end(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    for (const leave of this.#leave) leave();
    this.#controller.abort(new SocketClosed(this));
    this.drain();
    const readers = this.#readers;
    this.#readers = [];
    for (const resolve of readers) resolve();
  }
}
