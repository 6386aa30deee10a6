import { randomUUID } from "node:crypto";
import { open, rename, rm } from "node:fs/promises";
import { dirname, join } from "node:path";

import type { MaybePromise } from "../store/maybe-promise.ts";
import { toSafeFilename } from "./filename.ts";

/** The options of {@link UploadPart.save}. */
export interface SaveOptions {
  /**
   * Called after each piece has been written, with the number of bytes so far. If it returns a
   * promise, `save` waits for that; if it fails, so does `save`.
   */
  readonly onProgress?: (bytes: number) => MaybePromise<void>;
}

/** The content of a file, piece by piece. */
export type Content = AsyncGenerator<Uint8Array<ArrayBuffer>, void, undefined>;

/**
 * A file that is being uploaded. Its content can be read once, before the loop asks for the next
 * file: by `save`, `bytes`, `text`, `stream` or `for await`. A file that is not read is skipped.
 * Reading throws HttpError 400 if the upload is incomplete, 413 if it exceeds a limit, and Error if
 * the content has been read or skipped already.
 */
export class UploadPart implements AsyncIterable<Uint8Array<ArrayBuffer>> {
  /** The name of the form's field. */
  readonly field: string;
  /**
   * The file's name, as claimed by the client, but safe to append to a folder's path: without
   * folders, control and invisible characters, leading dots and what Windows forbids; at most 200
   * bytes, never empty. Several files may have the same name.
   */
  readonly filename: string;
  /** The media type, as claimed by the client. */
  readonly type: string;
  readonly #content: Content;
  readonly #finished = Promise.withResolvers<void>();
  #isTaken = false;

  /** @internal */
  constructor(field: string, filename: string, type: string, content: Content) {
    this.field = field;
    this.filename = toSafeFilename(filename);
    this.type = type;
    this.#content = content;
  }

  /** @throws Error if the content has been read or skipped already. */
  [Symbol.asyncIterator](): AsyncIterableIterator<Uint8Array<ArrayBuffer>, void, undefined> {
    if (this.#isTaken) {
      throw new Error(
        `The file in "${this.field}" has been read or skipped already. Read each file once, inside the loop.`,
      );
    }
    this.#isTaken = true;
    const content = this.#content;
    const finish = this.#finished.resolve;
    // A generator that is ended before it has started would not notice.
    const iterator = {
      next: async () => {
        try {
          const result = await content.next();
          if (result.done === true) finish();
          return result;
        } catch (error) {
          finish();
          throw error;
        }
      },
      return: async () => {
        finish();
        return content.return();
      },
      [Symbol.asyncIterator]: () => iterator,
    };
    return iterator;
  }

  /** The content as a web-standard stream. */
  stream(): ReadableStream<Uint8Array<ArrayBuffer>> {
    const content = this[Symbol.asyncIterator]();
    return new ReadableStream({
      async pull(controller) {
        const { value } = await content.next();
        if (value === undefined) controller.close();
        else controller.enqueue(value);
      },
      async cancel() {
        await content.return?.();
      },
    });
  }

  /** The whole content, in memory. */
  async bytes(): Promise<Uint8Array<ArrayBuffer>> {
    return collect(this);
  }

  /** The whole content as text, in UTF-8. */
  async text(): Promise<string> {
    return new TextDecoder().decode(await collect(this));
  }

  /**
   * Writes the content to a file, piece by piece, and returns its size in bytes. The file appears
   * under its name once it is complete, and replaces an existing file. Until then it is called
   * `.upload-…`, in the same folder. If the upload is incomplete or exceeds a limit, that file is
   * removed.
   *
   * @throws HttpError 400 if the upload is incomplete, 413 if it exceeds a limit; the file system's
   *   error if the file cannot be written.
   */
  async save(path: string, { onProgress }: SaveOptions = {}): Promise<number> {
    const content = this[Symbol.asyncIterator]();
    const temporary = join(dirname(path), `.upload-${randomUUID()}`);
    try {
      const size = await writeContent(temporary, content, onProgress);
      await rename(temporary, path);
      return size;
    } catch (error) {
      await rm(temporary, { force: true });
      throw error;
    } finally {
      await content.return?.();
    }
  }

  /** Waits for the reader of the content, if there is one, and prevents any other. */
  async _finish(): Promise<void> {
    if (this.#isTaken) await this.#finished.promise;
    this.#isTaken = true;
  }
}

/**
 * Writes a new file and returns its size. Not by `writeFile`: given pieces of different sizes, Bun
 * 1.4.5 writes some bytes twice.
 */
async function writeContent(
  path: string,
  content: AsyncIterable<Uint8Array>,
  onProgress: SaveOptions["onProgress"],
): Promise<number> {
  const file = await open(path, "wx");
  try {
    let size = 0;
    for await (const chunk of content) {
      for (let at = 0; at < chunk.byteLength;) {
        at += (await file.write(chunk, at)).bytesWritten;
      }
      size += chunk.byteLength;
      if (onProgress !== undefined) await onProgress(size);
    }
    return size;
  } finally {
    await file.close();
  }
}

/** Joins all pieces. */
export async function collect(
  content: AsyncIterable<Uint8Array<ArrayBuffer>>,
): Promise<Uint8Array<ArrayBuffer>> {
  const sink = new Bun.ArrayBufferSink();
  for await (const chunk of content) sink.write(chunk);
  return new Uint8Array(sink.end() as ArrayBuffer);
}
