import type { StandardSchemaV1 } from "@standard-schema/spec";

import type { MaybePromise } from "../store/maybe-promise.ts";
import { Html } from "./html.ts";
import { toJsonText } from "./json-text.ts";
import type { RawMessage, SocketConnection } from "./socket-connection.ts";
import type { OutputOf } from "./validate.ts";
import { InvalidInput, validate } from "./validate.ts";

/**
 * A WebSocket, as seen by its page.
 *
 * ```ts
 * async ws_chat(socket: Socket, room: string) {
 *   const user = this.requireLogin();
 *   await socket.accept();
 *   socket.subscribe(room);
 *   for await (const text of socket) socket.publish(room, { user, text });
 * }
 * ```
 *
 * Until {@link Socket.accept} the page answers an HTTP request: what it throws or returns is the
 * response.
 *
 * Read messages with `for await`, which ends when either side closes the socket. A client that
 * sends faster than the page reads has to wait. If the page does not read at all, the socket is
 * closed with 1013 after 64 messages or 256 KiB.
 */
export interface Socket<Message = string | Uint8Array<ArrayBuffer>> extends AsyncIterable<Message> {
  /** Aborted when the socket is closed. Pass it to whatever the page waits for. */
  readonly signal: AbortSignal;

  /** The subprotocols that the client offers, as in `new WebSocket(url, ["v2", "v1"])`. */
  readonly protocols: readonly string[];

  /**
   * The subprotocol in use; `""` for none. Unless {@link accept} chooses one, it is the first that
   * the client offers.
   */
  readonly protocol: string;

  /**
   * Completes the handshake: stores the session and sends its cookie with the response. From then
   * on the session cannot get a new id. Reading messages accepts the socket automatically.
   *
   * With `protocols`, chooses the first of these subprotocols that the client offers, and returns
   * it; returns `""` if the client offers none. A client that offers only others gets 400.
   *
   * ```ts
   * const protocol = await socket.accept({ protocols: ["chat.v2", "chat.v1"] });
   * ```
   */
  accept(): Promise<string>;
  accept<const Protocol extends string>(options: AcceptOptions<Protocol>): Promise<Protocol | "">;

  /**
   * The same socket with JSON messages that are checked by a schema of zod, valibot, arktype or any
   * other library that implements Standard Schema. A message that does not match closes the socket
   * with 1007.
   */
  as<Schema extends StandardSchemaV1>(schema: Schema): Socket<OutputOf<Schema>>;

  /**
   * Sends text, `` html`…` `` and bytes as they are, anything else as JSON, and waits until the
   * client has read enough that there is room for more. Returns `true`, or `false` if the socket is
   * another page's and closed. In the page of a closed socket it throws, which ends the page
   * without counting as a failure.
   *
   * A message of any size arrives at a client that reads, if the page awaits it. A client is
   * disconnected when anything else is sent to it while more than 1 MiB waits for it.
   *
   * @throws TypeError for a value that JSON would lose.
   */
  send(value: unknown): Promise<boolean>;

  /** Starts receiving what is published to a topic, in this process. */
  subscribe(topic: string): void;

  /** Stops receiving what is published to a topic. */
  unsubscribe(topic: string): void;

  /**
   * Sends to all sockets that have subscribed to the topic in this process; including this one,
   * unless `self` is `false`.
   *
   * @throws TypeError for a value that JSON would lose.
   */
  publish(topic: string, value: unknown, options?: { readonly self?: boolean }): void;

  /**
   * Closes the socket. `code` is 1000 by default; codes from 4000 to 4999 are the app's own. Of a
   * longer `reason`, the client receives the first 123 bytes.
   *
   * @throws RangeError for a code that no client may receive.
   */
  close(code?: number, reason?: string): void;
}

/** How a handshake is answered. */
export interface AcceptOptions<Protocol extends string = string> {
  /** The subprotocols that the page supports, the preferred one first. */
  readonly protocols?: readonly Protocol[];
}

/** The {@link Socket} of a connection. */
export class PageSocket<Message> implements Socket<Message> {
  readonly #connection: SocketConnection;
  readonly #read: (message: RawMessage) => MaybePromise<Message>;

  constructor(connection: SocketConnection, read: (message: RawMessage) => MaybePromise<Message>) {
    this.#connection = connection;
    this.#read = read;
  }

  get signal(): AbortSignal {
    return this.#connection.signal;
  }

  get protocols(): readonly string[] {
    return this.#connection.protocols;
  }

  get protocol(): string {
    return this.#connection.protocol;
  }

  accept(): Promise<string>;
  accept<const Protocol extends string>(options: AcceptOptions<Protocol>): Promise<Protocol | "">;
  accept({ protocols }: AcceptOptions = {}): Promise<string> {
    if (protocols !== undefined) this.#connection.choose(protocols);
    return this.#connection.accept();
  }

  as<Schema extends StandardSchemaV1>(schema: Schema): Socket<OutputOf<Schema>> {
    return new PageSocket<OutputOf<Schema>>(this.#connection, (message) =>
      readJson(schema, message),
    );
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Message, void, undefined> {
    await this.accept();
    for (;;) {
      const message = await this.#connection.next();
      if (message === undefined) return;
      let read: Message;
      try {
        read = await this.#read(message);
      } catch (error) {
        if (!(error instanceof InvalidInput)) throw error;
        return this.close(1007, describe(error));
      }
      yield read;
    }
  }

  send(value: unknown): Promise<boolean> {
    const sent = this.#connection.send(toMessage(value));
    // A page may ignore the promise, whose rejection must not end the process.
    sent.catch(() => undefined);
    return sent;
  }

  subscribe(topic: string): void {
    this.#connection.subscribe(topic);
  }

  unsubscribe(topic: string): void {
    this.#connection.unsubscribe(topic);
  }

  publish(topic: string, value: unknown, { self = true }: { readonly self?: boolean } = {}): void {
    this.#connection.publish(topic, toMessage(value), self);
  }

  close(code = 1000, reason = ""): void {
    if (!isCloseCode(code)) {
      throw new RangeError(
        `A socket cannot be closed with the code ${code}. Use 1000, or one from 4000 to 4999, which are the app's own.`,
      );
    }
    this.#connection.close(code, reason);
  }
}

/** Whether a close frame may carry a code; clients treat others as a broken connection (RFC 6455, 7.4). */
function isCloseCode(code: number): boolean {
  const isDefined = code >= 1000 && code <= 1014 && !(code >= 1004 && code <= 1006);
  return Number.isInteger(code) && (isDefined || (code >= 3000 && code <= 4999));
}

const decoder = new TextDecoder();

/** @throws InvalidInput for a message that is not JSON or does not match the schema. */
async function readJson<Schema extends StandardSchemaV1>(
  schema: Schema,
  message: RawMessage,
): Promise<OutputOf<Schema>> {
  return (await validate(schema, parse(message))) as OutputOf<Schema>;
}

function parse(message: RawMessage): unknown {
  try {
    return JSON.parse(typeof message === "string" ? message : decoder.decode(message));
  } catch {
    throw new InvalidInput([{ path: "", message: "The message is not JSON." }]);
  }
}

/**
 * Only the first problem: the reason for closing a socket has at most 123 bytes (RFC 6455, 5.5).
 */
function describe({ problems }: InvalidInput): string {
  const { path, message } = problems[0] ?? { path: "", message: "" };
  return path === "" ? message : `${path}: ${message}`;
}

function toMessage(value: unknown): RawMessage {
  if (typeof value === "string") return value;
  if (value instanceof Uint8Array) return value as Uint8Array<ArrayBuffer>;
  if (value instanceof ArrayBuffer) return new Uint8Array(value);
  if (value instanceof Html) return value.toString();
  return toJsonText(value, "A socket's page sent");
}
