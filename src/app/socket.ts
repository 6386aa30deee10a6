import type { StandardSchemaV1 } from "@standard-schema/spec";

import type { MaybePromise } from "../store/maybe-promise.ts";
import { Html } from "./html.ts";
import { toJsonText } from "./json-text.ts";
import type { RawMessage, SocketConnection } from "./socket-connection.ts";
import type { OutputOf } from "./validate.ts";
import { InvalidInput, validate } from "./validate.ts";

/**
 * A WebSocket, as its page has it.
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
 * Until {@link Socket.accept} the page answers an HTTP request: what it throws or returns is the response.
 *
 * Its messages are read by `for await`, which ends when the socket is closed, by whichever side. A client that
 * sends faster than the page reads has to wait; where the page reads nothing at all, the socket is closed with
 * 1013 after 64 messages or 256 KiB.
 */
export interface Socket<Message = string | Uint8Array<ArrayBuffer>> extends AsyncIterable<Message> {
  /** Aborted when the socket is closed, for what the page waits for meanwhile. */
  readonly signal: AbortSignal;

  /** The subprotocols that the client offers, as in `new WebSocket(url, ["v2", "v1"])`. */
  readonly protocols: readonly string[];

  /**
   * The subprotocol that was agreed on; `""` for none. Unless {@link accept} chooses, it is the first that the client
   * offers.
   */
  readonly protocol: string;

  /**
   * Answers the handshake: stores the session, and sends its cookie with the answer. From here on there is a
   * socket, and the session can get no new id. Reading messages does this by itself.
   *
   * With `protocols`, it chooses the first of these subprotocols that the client offers, and returns it; `""` for a client that
   * offers none at all. A client that offers others gets 400.
   *
   * ```ts
   * const protocol = await socket.accept({ protocols: ["chat.v2", "chat.v1"] });
   * ```
   */
  accept(): Promise<string>;
  accept<const Protocol extends string>(options: AcceptOptions<Protocol>): Promise<Protocol | "">;

  /**
   * The same socket, with messages that are JSON and fit a schema: of zod, valibot, arktype or any other that
   * follows Standard Schema. A message that does not fit closes the socket with 1007.
   */
  as<Schema extends StandardSchemaV1>(schema: Schema): Socket<OutputOf<Schema>>;

  /**
   * Sends text, `` html`…` `` and bytes as they are, anything else as JSON, and waits until the client has read enough that
   * there is room for more. Returns `true`; or `false` for another page's socket that is closed. In the page
   * of a closed socket it throws, which ends the page and counts as no failure.
   *
   * A client for which more than 1 MiB waits is disconnected.
   *
   * @throws TypeError for what JSON would lose.
   */
  send(value: unknown): Promise<boolean>;

  /** Has the socket receive what is published under a topic, in this process. */
  subscribe(topic: string): void;

  unsubscribe(topic: string): void;

  /**
   * Sends to all sockets that have subscribed to the topic: to this one too, unless `self` is `false`.
   *
   * @throws TypeError for what JSON would lose.
   */
  publish(topic: string, value: unknown, options?: { readonly self?: boolean }): void;

  /** Closes the socket. `code` is 1000 by default; codes from 4000 to 4999 are the app's own. */
  close(code?: number, reason?: string): void;
}

/** How a handshake is answered. */
export interface AcceptOptions<Protocol extends string = string> {
  /** The subprotocols that the page speaks, the best first. */
  readonly protocols?: readonly Protocol[];
}

/** A {@link Socket} on its connection. */
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
    // Whoever does not wait for it need not be told; the process must not end over it.
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
    this.#connection.close(code, reason);
  }
}

const decoder = new TextDecoder();

/** @throws InvalidInput for a message that is no JSON, or does not fit. */
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

/** The first problem: a socket is closed with 123 bytes of text at most. */
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
