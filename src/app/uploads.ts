import { on, once } from "node:events";
import type { Readable } from "node:stream";

import type { BusboyInstance } from "@fastify/busboy";
import { Busboy } from "@fastify/busboy";

import { BoundaryCheck, malformed } from "./boundary-check.ts";
import { HttpError } from "./errors.ts";
import type { Content } from "./upload-part.ts";
import { collect, UploadPart } from "./upload-part.ts";

/** The limits of an upload. A larger one gets 413. */
export interface UploadLimits {
  /** The number of parts, text fields and files together. */
  readonly maxParts: number;
  /** The number of files. */
  readonly maxFiles: number;
  /** The size of each file, in bytes. */
  readonly maxFileBytes: number;
  /** The total size of all files, in bytes. */
  readonly maxBytes: number;
  /** The total size of all text fields' values, in bytes. */
  readonly maxFieldBytes: number;
}

type Room = (bytes: number) => void;

/** What the parser reports when a part's header is complete. */
type Arrival = [
  field: string | undefined,
  stream: Readable,
  filename: string | undefined,
  encoding: string,
  type: string,
];

/** The largest header of a part; the rest of it is ignored. */
const MAX_HEADER_BYTES = 16 * 1024;

/** The parser parses a whole piece before a limit can stop it: 1 MiB may hold 15,000 parts. */
const MAX_PIECE_BYTES = 64 * 1024;

/**
 * The files of a `multipart/form-data` form, one after the other, while they arrive. The values of
 * text fields are added to `fields`. The body is read no faster than the files are.
 *
 * @throws HttpError 400 if the form is malformed, 413 beyond a limit; what reading `chunks` throws.
 */
export async function* readParts(
  chunks: AsyncIterable<Uint8Array>,
  type: string,
  limits: UploadLimits,
  fields: URLSearchParams,
): AsyncGenerator<UploadPart, void, undefined> {
  const parser = makeParser(type, limits.maxParts);
  const ending = new AbortController();
  let current: Readable | undefined;
  let failure: unknown;
  const end = (error?: unknown): void => {
    failure ??= error;
    ending.abort();
    current?.destroy();
  };
  const fail = (cause: unknown): void => end(malformed(cause));
  async function* read(stream: Readable, ...rooms: readonly Room[]): Content {
    try {
      // Destroying the part would stop the parser, which could not skip the rest of it.
      for await (const chunk of stream.iterator({ destroyOnReturn: false })) {
        for (const take of rooms) take(chunk.byteLength);
        yield chunk;
      }
    } catch (error) {
      end(error);
      throw failure;
    }
  }
  // An `error` event without a listener ends the process.
  parser.on("error", fail);
  parser.on("file", (_: unknown, stream: Readable) => stream.on("error", fail));
  parser.on("partsLimit", () => end(tooLarge(`has more than ${limits.maxParts} fields`)));
  const arrivals = on(parser, "file", { close: ["finish"], signal: ending.signal });
  void feed(parser, chunks, new BoundaryCheck(type), ending.signal).catch(end);
  const fieldRoom = makeRoom(limits.maxFieldBytes, "has fields of more than");
  const fileRoom = makeRoom(limits.maxBytes, "has files of more than");
  let part: UploadPart | undefined;
  let files = 0;
  try {
    for await (const [field, stream, filename, , mediaType] of arrivals as AsyncIterable<Arrival>) {
      current = stream;
      if (field !== undefined && filename === undefined) {
        fields.append(field, new TextDecoder().decode(await collect(read(stream, fieldRoom))));
      } else if (field !== undefined && filename) {
        if (++files > limits.maxFiles)
          throw tooLarge(`has more than ${countFiles(limits.maxFiles)}`);
        const room = makeRoom(limits.maxFileBytes, "has a file of more than");
        part = new UploadPart(field, filename, mediaType, read(stream, room, fileRoom));
        yield part;
        await part._finish();
      }
      stream.resume();
    }
  } catch (error) {
    end(error);
  } finally {
    // `return part.save(path)` leaves the loop while `save` is still running.
    void (part?._finish() ?? Promise.resolve()).then(() => end());
  }
  if (failure !== undefined) throw failure;
}

function makeParser(type: string, maxParts: number): BusboyInstance {
  try {
    return new Busboy({
      headers: { "content-type": type },
      // All parts are parsed as files: the parser would decode fields in a charset that the client
      // names, which browsers never do.
      isPartAFile: () => true,
      preservePath: true,
      limits: { parts: maxParts, headerSize: MAX_HEADER_BYTES },
    });
  } catch (cause) {
    throw malformed(cause);
  }
}

/** Passes the pieces to the parser one by one, each when the parser has room for it. */
async function feed(
  parser: BusboyInstance,
  chunks: AsyncIterable<Uint8Array>,
  check: BoundaryCheck,
  signal: AbortSignal,
): Promise<void> {
  for await (const chunk of chunks) {
    for (let at = 0; at < chunk.byteLength; at += MAX_PIECE_BYTES) {
      if (signal.aborted) return;
      const piece = chunk.subarray(at, at + MAX_PIECE_BYTES);
      check.add(piece);
      if (!parser.write(piece)) await once(parser, "drain", { signal });
    }
  }
  parser.end();
}

/** Counts bytes, and throws a 413 beyond the limit. */
function makeRoom(limit: number, excess: string): Room {
  let left = limit;
  return (bytes) => {
    left -= bytes;
    if (left < 0) throw tooLarge(`${excess} ${limit} bytes`);
  };
}

function countFiles(count: number): string {
  return count === 1 ? "1 file" : `${count} files`;
}

function tooLarge(excess: string): HttpError {
  return new HttpError(413, `The request's form ${excess}.`);
}
