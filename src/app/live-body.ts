import { AsyncLocalStorage } from "node:async_hooks";

import type { MaybePromise } from "../store/maybe-promise.ts";
import { LONGEST_TIMER } from "../store/sweeper.ts";
import type { Host } from "./live.ts";
import { hosts, onSessionEnd } from "./live.ts";

/** The source of a body: a generator that has not started. */
export type Chunks<Chunk> =
  Iterator<Chunk, unknown, undefined> | AsyncIterator<Chunk, unknown, undefined>;

/** How a generator becomes a response's body. */
export interface BodyPlan<Chunk> {
  /** @throws TypeError for a chunk that cannot be sent. */
  encode(chunk: Chunk): Uint8Array;
  /** Sent first, so that the headers are sent before the generator yields anything. */
  readonly greeting?: Uint8Array;
  /** Sent whenever the generator has yielded nothing for this many seconds. */
  readonly heartbeat?: { readonly seconds: number; readonly bytes: Uint8Array };
  /**
   * Aborted when the body is stopped before the generator is done. A body with a controller also
   * ends with its session; it ends regularly instead of breaking off, because its reader
   * reconnects.
   */
  readonly controller?: AbortController;
}

/**
 * A generator as a response's body. The reader sets the pace: nothing is produced ahead, and
 * nothing at all before the response is sent. When the reader disconnects, the generator's
 * `finally` runs. In the generator, `this.request` and any other async context of the page are
 * available.
 */
export class LiveBody<Chunk> {
  readonly #chunks: Chunks<Chunk>;
  readonly #plan: BodyPlan<Chunk>;
  readonly #host: Host | undefined = hosts.getStore();
  /** Restores the page's context: Bun calls `pull` outside of it. */
  readonly #resume = AsyncLocalStorage.snapshot();
  #stream: ReadableStreamDefaultController<Uint8Array> | undefined;
  #hasEnded = false;
  #leave: readonly (() => void)[] = [];
  #timer: ReturnType<typeof setInterval> | undefined;

  constructor(chunks: Chunks<Chunk>, plan: BodyPlan<Chunk>) {
    this.#chunks = chunks;
    this.#plan = plan;
  }

  /** The body, which can be read once. */
  toStream(): ReadableStream<Uint8Array> {
    // No buffer, so that the generator starts only when the body is read.
    return new ReadableStream(this, { highWaterMark: 0 });
  }

  async pull(stream: ReadableStreamDefaultController<Uint8Array>): Promise<void> {
    this.#begin(stream);
    // The generator may be silent for any length of time, but the client has to keep reading.
    this.#allowSilence(0);
    try {
      const bytes = await this.#next();
      if (this.#hasEnded) return;
      if (bytes === undefined) {
        this.#finish();
        stream.close();
        this.#host?.reportLost();
      } else {
        this.#limitSilence();
        stream.enqueue(bytes);
      }
    } catch (error) {
      this.#fail(error);
    }
  }

  /** Called when the reader has disconnected. */
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
    this.#timer = setInterval(
      () => {
        // A reader that still has bytes to read needs no heartbeat.
        if ((stream.desiredSize ?? -1) >= 0) stream.enqueue(heartbeat.bytes);
      },
      Math.min(heartbeat.seconds * 1000, LONGEST_TIMER),
    );
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

  /**
   * Whether an error is the result of our own abort. What waits with the signal fails with the
   * signal's reason; in `node:events`, with an error whose cause is that reason.
   */
  #isOwnEnd(error: unknown): boolean {
    const { signal } = this.#plan.controller ?? {};
    if (!this.#hasEnded || signal === undefined) return false;
    return error === signal.reason || (error instanceof Error && error.cause === signal.reason);
  }

  /** Breaks the connection off, so that no client takes a part for the whole. */
  #cut(reason: unknown): void {
    // In development, Bun's server prints a stream's error.
    this.#stream?.error(this.#host?.server === undefined ? reason : undefined);
  }

  /** Ends the body from outside: with the service or the session. */
  #end(message: string): void {
    const reason = new DOMException(message, "AbortError");
    this.#stop(reason);
    if (this.#plan.controller === undefined) this.#cut(reason);
    else this.#stream?.close();
  }

  /** Makes the generator run its `finally`, without waiting for it. */
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
    // The connection may be kept open for further requests.
    this.#limitSilence();
    clearInterval(this.#timer);
    for (const leave of this.#leave) leave();
  }

  #limitSilence(): void {
    this.#allowSilence(this.#host?.site.idleTimeout ?? 0);
  }

  #allowSilence(seconds: number): void {
    this.#host?.server?.timeout?.(this.#host.arrived, seconds);
  }
}
