import { HttpError } from "./errors.ts";
import type { Host } from "./live.ts";
import { hosts, onSessionEnd } from "./live.ts";

/** A message as received: text or bytes. */
export type RawMessage = string | Uint8Array<ArrayBuffer>;

/** The part of Bun's socket that is used here. */
export interface Wire {
  binaryType?: "nodebuffer" | "arraybuffer" | "uint8array" | "blob";
  send(data: RawMessage): number;
  getBufferedAmount(): number;
  close(code: number, reason: string): void;
  subscribe(topic: string): unknown;
  unsubscribe(topic: string): unknown;
  publish(topic: string, data: RawMessage): unknown;
  pause(): void;
  resume(): void;
}

/** Ends the page of a closed socket; it is not reported. */
class SocketClosed extends Error {
  override readonly name = "SocketClosed";

  readonly connection: SocketConnection;

  constructor(connection: SocketConnection) {
    super("The socket is closed.");
    this.connection = connection;
  }
}

/** How many bytes may wait for a slow client before the next message disconnects it. */
export const MAX_BEHIND = 1024 * 1024;

/** How many messages, and bytes, may wait for the page to read them. */
const MAX_MESSAGES = 64;
const MAX_SIZE = 256 * 1024;

/** Parses a header field that is a list (RFC 9110, 5.6.1). */
function parseList(field: string | null): readonly string[] {
  const members = (field ?? "").split(",").map((member) => member.trim());
  return members.filter((member) => member !== "");
}

/** A WebSocket from its handshake to its end. Turns Bun's events into promises for the page. */
export class SocketConnection {
  /** The subprotocols that the client offers. */
  readonly protocols: readonly string[];
  /** The subprotocol in use; `""` for none. */
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
    // Bun's own default: browsers disconnect if none of the subprotocols that they offer is chosen.
    this.protocol = this.protocols[0] ?? "";
    this.#opened.promise.catch(() => undefined);
  }

  // For the page.

  /** Resolves when the page accepts the handshake. */
  get asked(): Promise<void> {
    return this.#asked.promise;
  }

  /** Aborted when the socket is closed. */
  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /**
   * Chooses the first of these subprotocols that the client offers; none, if the client offers
   * none.
   *
   * @throws HttpError 400 if the client offers only others; Error if the socket is already
   *   accepted.
   */
  choose(spoken: readonly string[]): void {
    if (this.#isAsked) {
      throw new Error(
        "The socket is already accepted, and its subprotocol chosen. Call `accept({ protocols })` first, before anything reads messages.",
      );
    }
    const chosen = spoken.find((protocol) => this.protocols.includes(protocol));
    if (chosen === undefined && this.protocols.length > 0) {
      const list = spoken.join(", ");
      throw new HttpError(
        400,
        `None of the offered subprotocols is supported. This page supports ${list}.`,
      );
    }
    this.protocol = chosen ?? "";
  }

  /**
   * Accepts the handshake. Resolves with the subprotocol when the socket is open.
   *
   * @throws SocketClosed if the handshake is refused after all.
   */
  accept(): Promise<string> {
    this.#isAsked = true;
    this.#asked.resolve();
    return this.#opened.promise;
  }

  /** The next message; `undefined` once the socket is closed and every received message is read. */
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
   * Sends a message, and waits until the client has read enough that there is room for more.
   *
   * @throws SocketClosed in the page of this socket, if it is closed; elsewhere, returns `false`.
   */
  async send(data: RawMessage): Promise<boolean> {
    const wire = this.#accepted();
    if (this.#isClosed) return this.#refuseSending();
    const sent = wire.send(data);
    if (sent > 0 || data.length === 0) return true;
    // Beyond the limit, Bun drops the message and closes the socket.
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

  /** Closes the socket. Messages that are unread or arrive later are dropped. */
  close(code: number, reason: string): void {
    const wire = this.#accepted();
    if (this.#isClosed) return;
    this.#messages = [];
    this.#end();
    wire.close(code, reason);
  }

  // For the caller of the page.

  /** Closes the socket, because the page has returned. */
  finish(): void {
    if (this.isOpen) this.#host.reportLost();
    this.#closeWhenOpen(1000, "");
  }

  /**
   * Reports the page's error and closes the socket. Does nothing if the page has not accepted: the
   * error is then the handshake's response.
   */
  fail(error: unknown): void {
    if (!this.#isAsked || (error instanceof SocketClosed && error.connection === this)) return;
    this.#host.report(error);
    this.#closeWhenOpen(1011, "Something went wrong on this server.");
  }

  /** Ends the connection, because the handshake got another response. */
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
      // The client has to wait until the page has read the waiting messages.
      this.#isPaused = true;
      this.#wire?.pause();
    } else this.close(1013, "The page does not read messages.");
  }

  /** Called whenever a part of what waits for the client has been sent, however small. */
  drain(): void {
    const waiting = this.#isClosed ? 0 : (this.#wire?.getBufferedAmount() ?? 0);
    if (waiting > MAX_BEHIND / 2) return;
    const senders = this.#senders;
    this.#senders = [];
    for (const resolve of senders) resolve();
  }

  /**
   * Called when the client has closed the socket or disconnected. Received messages can still be
   * read.
   */
  closed(): void {
    this.#end();
  }

  /** Whether at least this part of the messages that may wait does so. */
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
