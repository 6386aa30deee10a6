import type { Socket } from "node:net";
import { connect } from "node:net";

/** A whole answer. */
export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly body: string;
}

const HEAD_END = "\r\n\r\n";

/** A connection that is kept alive, and that sends bytes as they stand here. */
export class Connection {
  readonly #socket: Socket;
  #received = "";
  #isClosed = false;
  #news = Promise.withResolvers<void>();

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.setEncoding("latin1");
    socket.on("data", (text: string) => {
      this.#received += text;
      this.#tell();
    });
    socket.on("error", () => socket.destroy());
    socket.on("close", () => {
      this.#isClosed = true;
      this.#tell();
    });
  }

  static open(port: number): Promise<Connection> {
    const { promise, resolve, reject } = Promise.withResolvers<Connection>();
    const socket = connect(port, "127.0.0.1", () => resolve(new Connection(socket)));
    socket.once("error", reject);
    return promise;
  }

  /** Whether either side has closed it. */
  get isClosed(): boolean {
    return this.#isClosed;
  }

  /** All that has arrived and is in no answer yet. */
  get received(): string {
    return this.#received;
  }

  send(text: string, encoding: BufferEncoding = "utf8"): void {
    this.#socket.write(text, encoding);
  }

  /** Reads nothing, until `resume()`. */
  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    this.#socket.resume();
  }

  /** The next answer; `undefined` if the connection ended before it was whole. */
  async answer(): Promise<Answer | undefined> {
    for (;;) {
      const answer = this.#take();
      if (answer !== undefined || this.#isClosed) return answer;
      await this.#news.promise;
    }
  }

  /** Settles when it is closed. */
  async closed(): Promise<void> {
    while (!this.#isClosed) await this.#news.promise;
  }

  close(): void {
    this.#socket.destroy();
  }

  #take(): Answer | undefined {
    const headEnd = this.#received.indexOf(HEAD_END);
    if (headEnd === -1) return undefined;
    const [first = "", ...lines] = this.#received.slice(0, headEnd).split("\r\n");
    const pairs = lines.map((line): [string, string] => {
      const colon = line.indexOf(":");
      return [line.slice(0, colon), line.slice(colon + 1).trim()];
    });
    const headers = new Headers(pairs);
    const end = headEnd + HEAD_END.length + Number(headers.get("content-length"));
    if (this.#received.length < end) return undefined;
    const body = this.#received.slice(headEnd + HEAD_END.length, end);
    this.#received = this.#received.slice(end);
    return { status: Number(first.split(" ")[1]), headers, body };
  }

  #tell(): void {
    const news = this.#news;
    this.#news = Promise.withResolvers();
    news.resolve();
  }
}
