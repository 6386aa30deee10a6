import type { Transform } from "node:stream";
import { promisify } from "node:util";
import {
  brotliCompress,
  constants,
  createBrotliCompress,
  createGzip,
  createZstdCompress,
  gzip,
  zstdCompress,
} from "node:zlib";

import type { Coding } from "./accept-encoding.ts";

/** Brotli's highest quality takes a hundred times as long. */
const BROTLI = { [constants.BROTLI_PARAM_QUALITY]: 4 };

const encoders: Readonly<Record<Coding, (bytes: Uint8Array) => Promise<Uint8Array<ArrayBuffer>>>> =
  {
    gzip: promisify(gzip),
    br: (bytes) => promisify(brotliCompress)(bytes, { params: BROTLI }),
    zstd: promisify(zstdCompress),
  };

/** Each flushes after every piece, so that the reader gets a piece without waiting for the next. */
const transforms: Readonly<Record<Coding, () => Transform>> = {
  gzip: () => createGzip({ flush: constants.Z_SYNC_FLUSH }),
  br: () => createBrotliCompress({ flush: constants.BROTLI_OPERATION_FLUSH, params: BROTLI }),
  zstd: () => createZstdCompress({ flush: constants.ZSTD_e_flush }),
};

/** Compresses bytes on another thread. */
export function encodeBytes(bytes: Uint8Array, coding: Coding): Promise<Uint8Array<ArrayBuffer>> {
  return encoders[coding](bytes);
}

/** Compresses a stream piece by piece, as fast as its reader reads. */
export function encodeStream(
  stream: ReadableStream<Uint8Array>,
  coding: Coding,
): ReadableStream<Uint8Array> {
  return new ReadableStream(new EncodedBody(stream, transforms[coding]()), { highWaterMark: 0 });
}

interface Reader {
  read(): Promise<{ readonly done: boolean; readonly value?: Uint8Array | undefined }>;
  cancel(reason: unknown): Promise<void>;
}

class EncodedBody {
  readonly #reader: Reader;
  readonly #transform: Transform;
  #encoded: Uint8Array[] = [];

  constructor(stream: ReadableStream<Uint8Array>, transform: Transform) {
    this.#reader = stream.getReader();
    this.#transform = transform;
    transform.on("data", (bytes: Uint8Array) => this.#encoded.push(bytes));
  }

  async pull(controller: ReadableStreamDefaultController<Uint8Array>): Promise<void> {
    let isDone = false;
    // An empty piece may yield nothing, and `pull` is not called again until something is enqueued.
    while (!isDone && this.#encoded.length === 0) isDone = await this.#encodeNext();
    for (const bytes of this.#encoded.splice(0)) controller.enqueue(bytes);
    if (isDone) controller.close();
  }

  /** Returns whether the stream has ended. */
  async #encodeNext(): Promise<boolean> {
    const { done, value } = await this.#reader.read();
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.#transform.once("error", reject);
    if (done) this.#transform.once("end", resolve).end();
    else this.#transform.write(value, () => resolve());
    await promise;
    this.#transform.off("error", reject);
    return done;
  }

  async cancel(reason: unknown): Promise<void> {
    this.#transform.destroy();
    await this.#reader.cancel(reason);
  }
}
