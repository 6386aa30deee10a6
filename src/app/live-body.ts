import { AsyncLocalStorage } from "node:async_hooks";

import type { MaybePromise } from "../store/maybe-promise.ts";
import type { Host } from "./live.ts";
import { hosts, onSessionEnd } from "./live.ts";

/** What a body is made from: a generator that has not begun. */
export type Chunks<Chunk> =
  Iterator<Chunk, unknown, undefined> | AsyncIterator<Chunk, unknown, undefined>;

/** How a generator becomes a response's body. */
export interface BodyPlan<Chunk> {
  /** @throws TypeError for what cannot be sent. */
  encode(chunk: Chunk): Uint8Array;
  /** Sent first, so that the response's headers leave before the generator yields anything. */
  readonly greeting?: Uint8Array;
  /** Sent whenever the generator has yielded nothing for so many seconds. */
  readonly heartbeat?: { readonly seconds: number; readonly bytes: Uint8Array };
  /** Ends with the session too, and by a regular end: whoever reads it comes back for more. */
  readonly controller?: AbortController;
}

/**
 * A generator as a response's body. The reader decides when it goes on: nothing is fetched ahead, and
 * nothing at all before the response leaves. When the reader is gone, the generator's `finally` runs.
 * Meanwhile `this.request` and any other context of the page are there, as in the page.
 */
export class LiveBody<Chunk> {
  readonly #chunks: Chunks<Chunk>;
  readonly #plan: BodyPlan<Chunk>;
  readonly #host: Host | undefined = hosts.getStore();
  /** Bun pulls outside the page's context. */
  readonly #resume = AsyncLocalStorage.snapshot();
  #stream: ReadableStreamDefaultController<Uint8Array> | undefined;
  #hasEnded = false;
  #leave: readonly (() => void)[] = [];
  #timer: ReturnType<typeof setInterval> | undefined;

  constructor(chunks: Chunks<Chunk>, plan: BodyPlan<Chunk>) {
    this.#chunks = chunks;
    this.#plan = plan;
  }

  /** The body. It is read once. */
  toStream(): ReadableStream<Uint8Array> {
    // Nothing is buffered here, so that the generator begins only when the body is read.
    return new ReadableStream(this, { highWaterMark: 0 });
  }

  async pull(stream: ReadableStreamDefaultController<Uint8Array>): Promise<void> {
    this.#begin(stream);
    // A generator may be silent for as long as it likes; whoever reads it has to keep reading.
    this.#allowSilence(0);
    try {
      const bytes = await this.#next();
      if (this.#hasEnded) return;
      if (bytes === undefined) {
        this.#finish();
        stream.close();
        this.#host?.reportLost();
      } else {
        this.#allowSilence(this.#host?.site.idleTimeout ?? 0);
        stream.enqueue(bytes);
      }
    } catch (error) {
      this.#fail(error);
    }
  }

  /** The reader is gone. */
  cancel(): void {
    this.#stop(new DOMException("The client has disconnected.", "AbortError"));
  }

  #begin(stream: ReadableStreamDefaultController<Uint8Array>): void {
    if (this.#stream !== undefined) return;
    this.#stream = stream;
    const { greeting, heartbeat, controller } = this.#plan;
    if (greeting !== undefined) stream.enqueue(greeting);
    const host = this.#host;
    if (host !== undefined) {
      this.#leave = [host.site.live.add(() => this.#end("The server is shutting down."))];
      if (controller !== undefined) {
        const watch = onSessionEnd(host, (reason) =>
          this.#end(`The session has ended: ${reason}.`),
        );
        this.#leave = [...this.#leave, watch];
      }
    }
    if (heartbeat === undefined) return;
    this.#timer = setInterval(() => {
      // A reader that does not keep up is alive enough.
      if ((stream.desiredSize ?? -1) >= 0) stream.enqueue(heartbeat.bytes);
    }, heartbeat.seconds * 1000);
  }

  /** The next chunk that is not empty; `undefined` at the end. */
  async #next(): Promise<Uint8Array | undefined> {
    for (;;) {
      const { done, value } = await this.#resume((): MaybePromise<IteratorResult<Chunk, unknown>> =>
        this.#chunks.next(),
      );
      if (done === true) return undefined;
      const bytes = this.#plan.encode(value);
      if (bytes.length > 0) return bytes;
    }
  }

  #fail(error: unknown): void {
    if (!this.#isOwnEnd(error)) this.#host?.report(error);
    if (this.#hasEnded) return;
    this.#stop(error);
    this.#cut(error);
  }

  /** What is waited for with the signal fails with its reason; in `node:events`, with an error that it caused. */
  #isOwnEnd(error: unknown): boolean {
    const { signal } = this.#plan.controller ?? {};
    if (!this.#hasEnded || signal === undefined) return false;
    return error === signal.reason || (error instanceof Error && error.cause === signal.reason);
  }

  /** Ends the connection in the middle, so that nobody takes what was sent for the whole. */
  #cut(reason: unknown): void {
    // In development, Bun's server prints what a stream fails with.
    this.#stream?.error(this.#host?.server === undefined ? reason : undefined);
  }

  /** Ends it from outside. */
  #end(message: string): void {
    const reason = new DOMException(message, "AbortError");
    this.#stop(reason);
    if (this.#plan.controller === undefined) this.#cut(reason);
    else this.#stream?.close();
  }

  /** Has the generator run its `finally`, which is not waited for. */
  #stop(reason: unknown): void {
    if (this.#hasEnded) return;
    this.#finish();
    this.#plan.controller?.abort(reason);
    const stop = async (): Promise<void> => {
      await this.#resume((): unknown => this.#chunks.return?.());
      this.#host?.reportLost();
    };
    stop().catch((error: unknown) => this.#fail(error));
  }

  #finish(): void {
    this.#hasEnded = true;
    clearInterval(this.#timer);
    for (const leave of this.#leave) leave();
  }

  #allowSilence(seconds: number): void {
    this.#host?.server?.timeout?.(this.#host.arrived, seconds);
  }
}
