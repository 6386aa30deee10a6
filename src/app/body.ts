import { HttpError } from "./errors.ts";
import type { UploadPart } from "./upload-part.ts";
import { UploadedFile } from "./uploaded-file.ts";

/** How large a body may be, in bytes. */
export interface BodyLimits {
  /** One that is read into memory. */
  readonly maxBodyBytes: number;
  /** One with files. */
  readonly maxUploadBytes: number;
}

/** What an upload in memory may hold. */
export interface FilesOptions {
  /** All files together, in bytes; `maxBodyBytes` by default. */
  readonly maxBytes?: number;
  /** How many files; 20 by default. */
  readonly maxFiles?: number;
}

/** What an upload may hold that is read piece by piece. */
export interface PartsOptions {
  /** Each file, in bytes; only `maxUploadBytes` limits it by default. */
  readonly maxFileBytes?: number;
  /** How many files; 20 by default. */
  readonly maxFiles?: number;
}

/** What Django, PHP and Express allow. Half a million fit into 1 MiB, and take 70 ms to take apart. */
const MAX_FIELDS = 1000;

/** What PHP allows. */
const DEFAULT_MAX_FILES = 20;

/** How many chunks of a body are read before a pause, in which Bun joins those that arrive. */
const CHUNKS_PER_TURN = 16;

/** The body of a request. Read once and kept, so that several methods can be asked; files are not kept. */
export class Body {
  readonly #request: Request;
  readonly #limits: BodyLimits;
  readonly #isFromSocket: boolean;
  #bytes: Promise<ArrayBuffer> | undefined;
  /** The text fields of a form whose files are read, as far as they have arrived. */
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
    if (mediaType(type) === "application/x-www-form-urlencoded")
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
        `\`${name}\` is ${limit}, but no body is larger than \`maxUploadBytes\`, which is ${maxUploadBytes}. Raise App's \`maxUploadBytes\`.`,
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
    // Loaded by the first upload: most apps have none, and it takes as long as a third of all the rest.
    const { readParts } = await import("./uploads.ts");
    yield* readParts(this.#chunks(), type, limits, fields);
  }

  /** What was kept, or else what arrives. */
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
  return mediaType(type) === "multipart/form-data";
}

function mediaType(type: string): string | undefined {
  return type.split(";", 1)[0]?.trim().toLowerCase();
}

async function readBody(
  request: Request,
  limit: number,
  isFromSocket: boolean,
): Promise<ArrayBuffer> {
  // Bun's server holds clients to their Content-Length. A request that the app has made, from one
  // whose body it has decompressed for instance, may have a longer body than it says.
  const length = request.headers.get("content-length");
  if (length !== null && isFromSocket) return readAtOnce(request, Number(length), limit);
  const sink = new Bun.ArrayBufferSink();
  for await (const chunk of readChunks(request, limit)) sink.write(chunk);
  return sink.end() as ArrayBuffer;
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
 * A client may send each byte as a chunk of its own. To a reader that always waits for the next chunk,
 * Bun passes them on one by one, which costs 1 µs each and stops the event loop meanwhile. For a reader
 * that pauses, Bun joins them: 1 MB takes 2 × what `arrayBuffer()` takes, instead of 30 ×.
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

/** Bun's server holds to the limit too, and says so first. What a client leaves unfinished is aborted. */
function toHttpError(error: unknown, limit: number): unknown {
  if (error instanceof Error && error.message.includes("maxRequestBodySize")) {
    return tooLarge(limit, error);
  }
  return error instanceof DOMException && error.name === "AbortError"
    ? new HttpError(400, "The request's body broke off.", { cause: error })
    : error;
}

/** Counted before they are taken apart, which is what takes long. */
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
  try {
    return await new Response(body, { headers: { "content-type": type } }).formData();
  } catch (cause) {
    throw new HttpError(400, "The request's form is malformed.", { cause });
  }
}

function tooManyFields(): HttpError {
  return new HttpError(413, `The request's form has more than ${MAX_FIELDS} fields.`);
}

function filesWereRead(): Error {
  return new Error(
    "The body was read by files() or parts(), which do not keep it. Its text fields are in form().",
  );
}
