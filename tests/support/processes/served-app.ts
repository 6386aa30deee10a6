import { join } from "node:path";

const FIXTURES = join(import.meta.dir, "../../fixtures");

/** Where and how an app runs. */
interface ServedAppOptions {
  readonly env?: Record<string, string>;
  /** Bun's. */
  readonly flags?: readonly string[];
  readonly cwd?: string;
}

/** A process of its own that serves an app, such as one of those in tests/fixtures. */
export class ServedApp implements AsyncDisposable {
  readonly process: Bun.Subprocess<"ignore", "pipe", "pipe">;
  /** What it has written to standard output, and to standard error. */
  output = "";
  errors = "";
  readonly #messages: unknown[] = [];
  #news = Promise.withResolvers<void>();

  /** `path` is a file, as such or in tests/fixtures. */
  constructor(path: string, { env, flags = [], cwd = FIXTURES }: ServedAppOptions = {}) {
    this.process = Bun.spawn([process.execPath, ...flags, "run", path], {
      cwd,
      env: { ...process.env, ...env },
      stdio: ["ignore", "pipe", "pipe"],
      ipc: (message) => {
        this.#messages.push(message);
        this.#tell();
      },
    });
    void this.#read(this.process.stdout, (text) => (this.output += text));
    void this.#read(this.process.stderr, (text) => (this.errors += text));
  }

  /** The same, once it serves. */
  static async start(...args: ConstructorParameters<typeof ServedApp>): Promise<ServedApp> {
    const app = new ServedApp(...args);
    await app.url();
    return app;
  }

  /** Where it serves, once it does. */
  async url(): Promise<URL> {
    await this.#until(() => /http:\S+\s/.test(this.output));
    return new URL(/http:\S+/.exec(this.output)?.[0] ?? "");
  }

  /** For a `Client`: sends a request to where it serves. */
  async fetch(request: Request): Promise<Response> {
    const { pathname, search } = new URL(request.url);
    const url = new URL(pathname + search, await this.url());
    return fetch(new Request(url.href, request), { redirect: "manual" });
  }

  /** Its next message that is this one. */
  async message(expected: unknown): Promise<void> {
    await this.#until(() => this.#messages.includes(expected));
    this.#messages.splice(0, this.#messages.indexOf(expected) + 1);
  }

  /** Its exit code, or the signal that ended it, once all it wrote is read. */
  async ended(): Promise<number | string | null> {
    await this.process.exited;
    return this.process.signalCode ?? this.process.exitCode;
  }

  /** Ends it by SIGTERM. */
  stop(): ReturnType<ServedApp["ended"]> {
    this.process.kill("SIGTERM");
    return this.ended();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.process.kill("SIGKILL");
    await this.process.exited;
  }

  async #until(condition: () => boolean): Promise<void> {
    while (!condition()) {
      if (this.process.exitCode !== null || this.process.signalCode !== null) {
        throw new Error(`The process ended: ${this.output}\n${this.errors}`);
      }
      await Promise.race([this.#news.promise, this.process.exited]);
    }
  }

  async #read(stream: ReadableStream<Uint8Array>, keep: (text: string) => void): Promise<void> {
    const decoder = new TextDecoder();
    for await (const chunk of stream) {
      keep(decoder.decode(chunk, { stream: true }));
      this.#tell();
    }
  }

  #tell(): void {
    const news = this.#news;
    this.#news = Promise.withResolvers();
    news.resolve();
  }
}
