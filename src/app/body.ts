import { BoundaryCheck, malformed } from "./boundary-check.ts";
import { HttpError } from "./errors.ts";
import type { UploadPart } from "./upload-part.ts";
import { UploadedFile } from "./uploaded-file.ts";

/** The size limits of bodies, in bytes. */
export interface BodyLimits {
  /** For a body that is read into memory. */
  readonly maxBodyBytes: number;
  /** For a body with uploaded files. */
  readonly maxUploadBytes: number;
}

/** The limits of an upload that is read into memory. */
export interface FilesOptions {
  /** The total size of all files, in bytes; `maxBodyBytes` by default. */
  readonly maxBytes?: number;
  /** The number of files; 20 by default. */
  readonly maxFiles?: number;
}

/** The limits of an upload that is read piece by piece. */
export interface PartsOptions {
  /** The size of each file, in bytes; by default only `maxUploadBytes` limits it. */
  readonly maxFileBytes?: number;
  /** The number of files; 20 by default. */
  readonly maxFiles?: number;
}

/**
 * The limit of Django, PHP and Express. Half a million fields fit into 1 MiB and take 70 ms to
 * parse.
 */
const MAX_FIELDS = 1000;

/** PHP's limit. */
const DEFAULT_MAX_FILES = 20;

/** How many chunks of a body are read before a pause, during which Bun joins arriving chunks. */
const CHUNKS_PER_TURN = 16;

/**
 * The body of a request, read once and cached, so that several methods can read it; files are not
 * cached.
 */
export class Body {
  readonly #request: Request;
  readonly #limits: BodyLimits;
  readonly #isFromSocket: boolean;
  #bytes: Promise<ArrayBuffer> | undefined;
  /** The text fields that have arrived so far, of a form whose files are read. */
  #fields: URLSearchParams | undefined;
  #files: Promise<UploadedFile[]> | undefined;

  constructor(request: Request, limits: BodyLimits, isFromSocket: boolean) {
    this.#request = request;
    this.#limits = limits;
    this.#isFromSocket = isFromSocket;
  }

  bytes(): Promise<ArrayBuffer> {
    if (this.#fields !== undefined) throw filesWereRead();
    this.#bytes ??= readBody(this.#request, this.#limits.maxBodyBytes, this.#isFromSocket);
    return this.#bytes;
  }

  async text(): Promise<string> {
    this.#refuseCompressed();
    return new TextDecoder().decode(await this.bytes());
  }

  async json(): Promise<unknown> {
    try {
      return JSON.parse(await this.text());
    } catch (cause) {
      if (!(cause instanceof SyntaxError)) throw cause;
      throw new HttpError(400, "The request's body is not valid JSON.", { cause });
    }
  }

  async form(): Promise<URLSearchParams> {
    if (this.#fields !== undefined) {
      await this.#files;
      return new URLSearchParams(this.#fields);
    }
    const type = this.#type();
    if (isMultipart(type)) {
      this.#refuseCompressed();
      return readFields(await this.bytes(), type);
    }
    if (parseMediaType(type) === "application/x-www-form-urlencoded")
      return parsePairs(await this.text());
    if ((await this.bytes()).byteLength === 0) return new URLSearchParams();
    throw new HttpError(415, "This page expects a form.");
  }

  files(options: FilesOptions): Promise<UploadedFile[]> {
    const files = this.#readFiles(options);
    this.#files ??= files;
    return files;
  }

  parts({ maxFileBytes, maxFiles }: PartsOptions): AsyncGenerator<UploadPart, void, undefined> {
    return this.#readParts({ maxFileBytes, maxFiles });
  }

  async #readFiles({ maxBytes, maxFiles }: FilesOptions): Promise<UploadedFile[]> {
    const files: UploadedFile[] = [];
    const limits = { maxBytes: maxBytes ?? this.#limits.maxBodyBytes, maxFiles };
    for await (const part of this.#readParts(limits)) {
      const { field, filename, type } = part;
      files.push(new UploadedFile(await part.bytes(), filename, type, field));
    }
    return files;
  }

  async *#readParts({
    maxFiles = DEFAULT_MAX_FILES,
    maxFileBytes = Infinity,
    maxBytes = Infinity,
  }: {
    readonly [Name in "maxFiles" | "maxFileBytes" | "maxBytes"]?: number | undefined;
  }): AsyncGenerator<UploadPart, void, undefined> {
    const { maxBodyBytes, maxUploadBytes } = this.#limits;
    for (const [name, limit] of Object.entries({ maxFileBytes, maxBytes })) {
      if (limit <= maxUploadBytes || limit === Infinity) continue;
      throw new TypeError(
        `\`${name}\` is ${limit}, which exceeds the upload limit of ${maxUploadBytes}. Raise App's \`maxUploadBytes\`.`,
      );
    }
    const type = this.#type();
    if (!isMultipart(type)) {
      throw new HttpError(415, "This page expects a form with files, as multipart/form-data.");
    }
    this.#refuseCompressed();
    const limits = {
      maxParts: MAX_FIELDS,
      maxFiles,
      maxFileBytes,
      maxBytes,
      maxFieldBytes: maxBodyBytes,
    };
    if (this.#fields !== undefined) throw filesWereRead();
    const fields = new URLSearchParams();
    this.#fields = fields;
    // Loaded on the first upload: most apps have none, and loading it takes a third as long as
    // loading all the rest.
    const { readParts } = await import("./uploads.ts");
    yield* readParts(this.#chunks(), type, limits, fields);
  }

  /** The cached body, or else the chunks as they arrive. */
  async *#chunks(): AsyncGenerator<Uint8Array> {
    if (this.#bytes === undefined) yield* readChunks(this.#request, this.#limits.maxUploadBytes);
    else yield new Uint8Array(await this.#bytes);
  }

  #type(): string {
    return this.#request.headers.get("content-type") ?? "";
  }

  #refuseCompressed(): void {
    const coding = this.#request.headers.get("content-encoding") ?? "";
    if (coding === "" || coding.toLowerCase() === "identity") return;
    throw new HttpError(415, "This page expects a body without a Content-Encoding.", {
      headers: { "accept-encoding": "identity" },
    });
  }
}

function isMultipart(type: string): boolean {
  return parseMediaType(type) === "multipart/form-data";
}

function parseMediaType(type: string): string | undefined {
  return type.split(";", 1)[0]?.trim().toLowerCase();
}

async function readBody(
  request: Request,
  limit: number,
  isFromSocket: boolean,
): Promise<ArrayBuffer> {
  // Bun's server enforces Content-Length. A request that the app itself has made, for instance from
  // one whose body it has decompressed, may have a longer body than its header says.
  refuseUsed(request);
  const length = request.headers.get("content-length");
  if (length !== null && isFromSocket) return readAtOnce(request, Number(length), limit);
  const sink = new Bun.ArrayBufferSink();
  for await (const chunk of readChunks(request, limit)) sink.write(chunk);
  return sink.end() as ArrayBuffer;
}

/** A body can be read once: only what reads it here is kept. */
function refuseUsed(request: Request): void {
  if (!request.bodyUsed) return;
  throw new Error(
    "The request's body has been read already, through `this.request.raw` or in onRequest. Read it with this.request.text(), json(), form() or bytes(), which keep it, or read a clone().",
  );
}

async function readAtOnce(request: Request, length: number, limit: number): Promise<ArrayBuffer> {
  if (length > limit) throw tooLarge(limit);
  try {
    return await request.arrayBuffer();
  } catch (error) {
    throw toHttpError(error, limit);
  }
}

/**
 * Pauses now and then, because a client may send each byte as a chunk of its own. Bun passes such
 * chunks one by one to a reader that always waits for the next, which costs 1 µs each and blocks
 * the event loop. While a reader pauses, Bun joins them: 1 MB takes 2 × as long as `arrayBuffer()`,
 * instead of 30 ×.
 */
async function* readChunks(request: Request, limit: number): AsyncGenerator<Uint8Array> {
  if (Number(request.headers.get("content-length") ?? 0) > limit) throw tooLarge(limit);
  let size = 0;
  let count = 0;
  try {
    for await (const chunk of request.body ?? []) {
      size += chunk.byteLength;
      if (size > limit) throw tooLarge(limit);
      yield chunk;
      if (++count % CHUNKS_PER_TURN === 0) await new Promise((resolve) => setImmediate(resolve));
    }
  } catch (error) {
    throw toHttpError(error, limit);
  }
}

function tooLarge(limit: number, cause?: unknown): HttpError {
  return new HttpError(413, `The request's body is larger than ${limit} bytes.`, { cause });
}

/**
 * Bun's server enforces the limit too, and may report it first. A body that the client does not
 * complete ends in an `AbortError`.
 */
function toHttpError(error: unknown, limit: number): unknown {
  if (error instanceof Error && error.message.includes("maxRequestBodySize")) {
    return tooLarge(limit, error);
  }
  return error instanceof DOMException && error.name === "AbortError"
    ? new HttpError(400, "The request's body is incomplete.", { cause: error })
    : error;
}

/** Counts the pairs before parsing them, because parsing is what takes long. */
function parsePairs(text: string): URLSearchParams {
  let count = 1;
  for (let at = text.indexOf("&"); at !== -1; at = text.indexOf("&", at + 1)) {
    if (++count > MAX_FIELDS) throw tooManyFields();
  }
  return new URLSearchParams(text);
}

async function readFields(body: ArrayBuffer, type: string): Promise<URLSearchParams> {
  const fields = new URLSearchParams();
  let count = 0;
  for (const [name, value] of await parseParts(body, type)) {
    if (++count > MAX_FIELDS) throw tooManyFields();
    if (typeof value === "string") fields.append(name, value);
  }
  return fields;
}

async function parseParts(body: ArrayBuffer, type: string): Promise<Iterable<[string, unknown]>> {
  new BoundaryCheck(type).add(new Uint8Array(body));
  try {
    return await new Response(body, { headers: { "content-type": type } }).formData();
  } catch (cause) {
    throw malformed(cause);
  }
}

function tooManyFields(): HttpError {
  return new HttpError(413, `The request's form has more than ${MAX_FIELDS} fields.`);
}

function filesWereRead(): Error {
  return new Error(
    "The body was read by files() or parts(), which do not cache it. Read its text fields with form().",
  );
}
