import { createRequire } from "node:module";

/** Bun's own `ws`, unlike its WebSocket, shows the response to the handshake. */
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
 * A browser's end of a WebSocket, made by {@link TestClient.socket}. Messages wait until they are received, by
 * {@link receive} or `for await`.
 */
export class TestSocket implements AsyncIterable<string | Uint8Array>, AsyncDisposable {
  /** The response to the handshake: its status is 101, or the socket was refused. */
  readonly response: Response;
  /** Settles when the socket is closed, by whichever side; for one that was refused, at once with 1006. */
  readonly closed: Promise<SocketEnd>;
  readonly #client: Client;
  readonly #messages: (string | Uint8Array)[];
  #end: SocketEnd | undefined;
  #news = Promise.withResolvers<void>();

  private constructor(response: Response, client: Client, received: Received) {
    this.response = response;
    this.#client = client;
    this.#messages = received.messages;
    received.tell = () => this.#tell();
    this.closed = received.closed;
    void this.closed.then((end) => {
      this.#end = end;
      this.#tell();
    });
  }

  /** @throws Error if nothing answers there. */
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
      received.tell?.();
    });
    client.on("close", (code, reason) => closed.resolve({ code, reason: reason.toString() }));
    return new TestSocket(await promise, client, received);
  }

  /** Sends text and bytes as they are, anything else as JSON. */
  send(value: unknown): void {
    this.#refuseUnlessOpen();
    const isRaw = typeof value === "string" || value instanceof Uint8Array;
    this.#client.send(isRaw ? value : JSON.stringify(value));
  }

  /**
   * The next message.
   *
   * @throws Error if the socket is closed before there is one, or was refused.
   */
  async receive(): Promise<string | Uint8Array> {
    const message = await this.#next();
    if (message !== undefined) return message;
    this.#refuseUnlessOpen();
    const { code, reason } = await this.closed;
    throw new Error(`The socket was closed with ${code} ${JSON.stringify(reason)}.`);
  }

  /** The next message, which is JSON. */
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

  /** Closes the socket, and waits until the other end has closed it too. */
  async close(code = 1000, reason = ""): Promise<SocketEnd> {
    if (this.#end === undefined) this.#client.close(code, reason);
    return this.closed;
  }

  /** Breaks the connection off, as a browser does that crashes. */
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
      await this.#news.promise;
    }
  }

  #refuseUnlessOpen(): void {
    const { status } = this.response;
    if (status === 101) return;
    throw new Error(`The socket was refused with ${status}: see its \`response\`.`);
  }

  #tell(): void {
    const news = this.#news;
    this.#news = Promise.withResolvers();
    news.resolve();
  }
}

interface Received {
  readonly messages: (string | Uint8Array)[];
  tell?: () => void;
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
