import { createRequire } from "node:module";

/**
 * The client of Bun's `ws` module: unlike Bun's WebSocket, it exposes the response to the
 * handshake.
 */
interface Client {
  binaryType: string;
  on(event: "upgrade", listener: (response: Head) => void): void;
  on(event: "unexpected-response", listener: (request: unknown, response: Incoming) => void): void;
  on(event: "message", listener: (data: Uint8Array<ArrayBuffer>, isBinary: boolean) => void): void;
  on(event: "close", listener: (code: number, reason: Uint8Array) => void): void;
  on(event: "open" | "error", listener: () => void): void;
  send(data: string | Uint8Array): void;
  close(code?: number, reason?: string): void;
  terminate(): void;
}

interface Head {
  readonly statusCode: number;
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>;
}

interface Incoming extends Head, AsyncIterable<Uint8Array> {}

const { WebSocket: Client } = createRequire(import.meta.url)("ws") as {
  readonly WebSocket: new (
    url: string,
    protocols: string[],
    options: { headers: Record<string, string> },
  ) => Client;
};

/** How a socket was closed. */
export interface SocketEnd {
  readonly code: number;
  readonly reason: string;
}

/**
 * The browser's end of a WebSocket, made by {@link TestClient.socket}. Messages are queued until
 * they are received, with {@link receive} or `for await`.
 */
export class TestSocket implements AsyncIterable<string | Uint8Array>, AsyncDisposable {
  /** The response to the handshake. Its status is 101 unless the socket was refused. */
  readonly response: Response;
  /**
   * Resolves when either side has closed the socket; for a refused one, immediately with code 1006.
   */
  readonly closed: Promise<SocketEnd>;
  readonly #client: Client;
  readonly #messages: (string | Uint8Array)[];
  #end: SocketEnd | undefined;
  #arrival = Promise.withResolvers<void>();

  private constructor(response: Response, client: Client, received: Received) {
    this.response = response;
    this.#client = client;
    this.#messages = received.messages;
    received.notify = () => this.#notify();
    this.closed = received.closed;
    void this.closed.then((end) => {
      this.#end = end;
      this.#notify();
    });
  }

  /** @throws Error if nothing answers at the URL. */
  static async open(
    url: string,
    headers: Record<string, string>,
    protocols: readonly string[] = [],
  ): Promise<TestSocket> {
    const client = new Client(url, [...protocols], { headers });
    const { promise, resolve, reject } = Promise.withResolvers<Response>();
    const closed = Promise.withResolvers<SocketEnd>();
    const received: Received = { messages: [], closed: closed.promise };
    let head: Response | undefined;
    client.on("upgrade", (response) => {
      head = new Response(null, { status: 101, headers: toHeaders(response) });
    });
    client.on("unexpected-response", (_, response) => {
      toResponse(response).then(resolve, reject);
      closed.resolve({ code: 1006, reason: "" });
    });
    client.on("open", () => resolve(head ?? new Response(null, { status: 101 })));
    client.on("error", () => reject(new Error(`Nothing answers at ${url}.`)));
    client.on("message", (data, isBinary) => {
      received.messages.push(isBinary ? new Uint8Array(data) : data.toString());
      received.notify?.();
    });
    client.on("close", (code, reason) => closed.resolve({ code, reason: reason.toString() }));
    return new TestSocket(await promise, client, received);
  }

  /**
   * Sends strings and bytes as they are, anything else as JSON.
   *
   * @throws Error if the socket was refused.
   */
  send(value: unknown): void {
    this.#refuseUnlessOpen();
    const isRaw = typeof value === "string" || value instanceof Uint8Array;
    this.#client.send(isRaw ? value : JSON.stringify(value));
  }

  /**
   * Returns the next message.
   *
   * @throws Error if the socket was refused or is closed before another message arrives.
   */
  async receive(): Promise<string | Uint8Array> {
    const message = await this.#next();
    if (message !== undefined) return message;
    this.#refuseUnlessOpen();
    const { code, reason } = await this.closed;
    throw new Error(`The socket was closed with ${code} ${JSON.stringify(reason)}.`);
  }

  /** Returns the next message, parsed as JSON. */
  async receiveJson<Value = unknown>(): Promise<Value> {
    return JSON.parse(String(await this.receive())) as Value;
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<string | Uint8Array, void, undefined> {
    for (;;) {
      const message = await this.#next();
      if (message === undefined) return;
      yield message;
    }
  }

  /** Closes the socket and waits until the server has closed it too. */
  async close(code = 1000, reason = ""): Promise<SocketEnd> {
    if (this.#end === undefined) this.#client.close(code, reason);
    return this.closed;
  }

  /** Drops the connection without closing the socket, as a crashing browser does. */
  terminate(): void {
    this.#client.terminate();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async #next(): Promise<string | Uint8Array | undefined> {
    for (;;) {
      const message = this.#messages.shift();
      if (message !== undefined || this.#end !== undefined) return message;
      await this.#arrival.promise;
    }
  }

  #refuseUnlessOpen(): void {
    const { status } = this.response;
    if (status === 101) return;
    throw new Error(`The socket was refused with status ${status}; its \`response\` says why.`);
  }

  #notify(): void {
    const arrival = this.#arrival;
    this.#arrival = Promise.withResolvers();
    arrival.resolve();
  }
}

interface Received {
  readonly messages: (string | Uint8Array)[];
  notify?: () => void;
  readonly closed: Promise<SocketEnd>;
}

function toHeaders({ headers }: Head): Headers {
  const all = new Headers();
  for (const [name, value] of Object.entries(headers)) {
    for (const line of [value ?? []].flat()) all.append(name, line);
  }
  return all;
}

async function toResponse(response: Incoming): Promise<Response> {
  const chunks = await Array.fromAsync(response);
  return new Response(Buffer.concat(chunks), {
    status: response.statusCode,
    headers: toHeaders(response),
  });
}
