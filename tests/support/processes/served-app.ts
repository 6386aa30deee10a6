import { join } from "node:path";

const FIXTURES = join(import.meta.dir, "../../fixtures");

/** A process of its own that serves one of the apps in tests/fixtures. */
export class ServedApp implements AsyncDisposable {
  readonly process: Bun.Subprocess<"ignore", "pipe", "pipe">;
  /** What it has written to standard output, and to standard error. */
  output = "";
  errors = "";
  readonly #messages: unknown[] = [];
  #news = Promise.withResolvers<void>();

  /** `path` is a file, as such or in tests/fixtures; `flags` are Bun's. */
  constructor(path: string, options: { env?: Record<string, string>; flags?: string[] } = {}) {
    this.process = Bun.spawn([process.execPath, ...(options.flags ?? []), "run", path], {
      cwd: FIXTURES,
      env: { ...process.env, ...options.env },
      stdio: ["ignore", "pipe", "pipe"],
      ipc: (message) => {
        this.#messages.push(message);
        this.#tell();
      },
    });
    void this.#read(this.process.stdout, (text) => (this.output += text));
    void this.#read(this.process.stderr, (text) => (this.errors += text));
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

  async [Symbol.asyncDispose](): Promise<void> {
    this.process.kill("SIGKILL");
    await this.process.exited;
  }

  async #until(isSo: () => boolean): Promise<void> {
    while (!isSo()) {
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
