import type { OpenSession } from "../session/open-session.ts";
import type { Session, SessionShape } from "../session/session.ts";
import { HttpError } from "./errors.ts";

/** Bun's server, as far as a request asks it something. */
export interface ServerLike {
  requestIP(request: Request): { readonly address: string } | null;
}

const NO_LINES: readonly string[] = [];

/** What Django, PHP and Express allow. Half a million fit into 1 MiB, and take 70 ms to take apart. */
const MAX_FIELDS = 1000;

/** How many chunks of a body are read before a pause, in which Bun joins those that arrive. */
const CHUNKS_PER_TURN = 16;

/** The request that a handler answers: `this.request`. */
export class AppRequest<Data extends SessionShape<Data>> {
  /** The request as the web platform has it. */
  readonly raw: Request;
  /** The path as it was sent, percent-encoded, without the query. */
  readonly path: string;
  /** The path's segments behind the handler's name, decoded: what the handler got as arguments. */
  readonly params: readonly string[];

  readonly #open: OpenSession<Data>;
  readonly #server: ServerLike | undefined;
  readonly #maxBodyBytes: number;
  #query: URLSearchParams | undefined;
  #cookies: Bun.CookieMap | undefined;
  #body: Promise<ArrayBuffer> | undefined;

  constructor(
    raw: Request,
    path: string,
    params: readonly string[],
    open: OpenSession<Data>,
    server: ServerLike | undefined,
    maxBodyBytes: number,
  ) {
    this.raw = raw;
    this.path = path;
    this.params = params;
    this.#open = open;
    this.#server = server;
    this.#maxBodyBytes = maxBodyBytes;
  }

  /** `GET`, `POST` and so on. */
  get method(): string {
    return this.raw.method;
  }

  /** The whole URL, as text. */
  get url(): string {
    return this.raw.url;
  }

  get headers(): Headers {
    return this.raw.headers;
  }

  /** The visitor's session. See {@link Session}. */
  get session(): Session<Data> {
    return this.#open.session;
  }

  /**
   * The request's cookies. What is set or deleted here goes out with the response. The session's own
   * cookie is not yours to set: the session does that.
   */
  get cookies(): Bun.CookieMap {
    this.#cookies ??= new Bun.CookieMap(this.raw.headers.get("cookie") ?? "");
    return this.#cookies;
  }

  /** The `Set-Cookie` lines that the handler has asked for. */
  get _setCookies(): readonly string[] {
    return this.#cookies?.toSetCookieHeaders() ?? NO_LINES;
  }

  /** The address that the request came from; `null` when it came by no socket. Behind a proxy: the proxy's. */
  get ip(): string | null {
    return this.#server?.requestIP(this.raw)?.address ?? null;
  }

  /** The first value of this name in the query, or the default. */
  query(name: string): string | undefined;
  query(name: string, fallback: string): string;
  query(name: string, fallback?: string): string | undefined {
    this.#query ??= new URLSearchParams(queryOf(this.raw.url));
    return this.#query.get(name) ?? fallback;
  }

  /**
   * The body as JSON.
   *
   * @throws HttpError 400 if it is none or broke off, 413 if it is larger than `maxBodyBytes`.
   */
  async json<Value = unknown>(): Promise<Value> {
    try {
      return JSON.parse(await this.text()) as Value;
    } catch (cause) {
      if (cause instanceof HttpError) throw cause;
      throw new HttpError(400, "The request's body is not valid JSON.", { cause });
    }
  }

  /**
   * The body's fields, from a form as browsers send it: `application/x-www-form-urlencoded` or
   * `multipart/form-data`. Without a body it has none. Files are left out.
   *
   * @throws HttpError 400 if the body is malformed, 413 if it is larger than `maxBodyBytes` or has
   *   more than 1,000 fields, files included, 415 if it is of another type.
   */
  async form(): Promise<URLSearchParams> {
    const type = this.raw.headers.get("content-type") ?? "";
    const kind = type.split(";", 1)[0]?.trim().toLowerCase();
    if (kind === "multipart/form-data") return fieldsOf(await this.#read(), type);
    if (kind === "application/x-www-form-urlencoded") return pairsOf(await this.text());
    if ((await this.#read()).byteLength === 0) return new URLSearchParams();
    throw new HttpError(415, "This page expects a form.");
  }

  /**
   * The body as text.
   *
   * @throws HttpError 400 if it broke off, 413 if it is larger than `maxBodyBytes`.
   */
  async text(): Promise<string> {
    return new TextDecoder().decode(await this.#read());
  }

  /** The body. Read once, and kept, so that `text()` and `json()` can both be asked. */
  #read(): Promise<ArrayBuffer> {
    this.#body ??= readBody(this.raw, this.#maxBodyBytes, this.ip !== null);
    return this.#body;
  }
}

async function readBody(
  request: Request,
  limit: number,
  isFromSocket: boolean,
): Promise<ArrayBuffer> {
  const length = request.headers.get("content-length");
  if (Number(length ?? 0) > limit) throw tooLarge(limit);
  try {
    // Bun's server holds clients to their Content-Length. A request that the app has made, from one
    // whose body it has decompressed for instance, may have a longer body than it says.
    if (length !== null && isFromSocket) return await request.arrayBuffer();
    return await readStream(request.body ?? [], limit);
  } catch (error) {
    throw toHttpError(error, limit);
  }
}

/**
 * A client may send each byte as a chunk of its own. To a reader that always waits for the next chunk,
 * Bun passes them on one by one, which costs 1 µs each and stops the event loop meanwhile. For a reader
 * that pauses, Bun joins them: 1 MB takes 2 × what `arrayBuffer()` takes, instead of 30 ×.
 */
async function readStream(
  chunks: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
  limit: number,
): Promise<ArrayBuffer> {
  const sink = new Bun.ArrayBufferSink();
  let size = 0;
  let count = 0;
  for await (const chunk of chunks) {
    size += sink.write(chunk);
    if (size > limit) throw tooLarge(limit);
    if (++count % CHUNKS_PER_TURN === 0) await new Promise((resolve) => setImmediate(resolve));
  }
  return sink.end() as ArrayBuffer;
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
function pairsOf(text: string): URLSearchParams {
  let count = 1;
  for (let at = text.indexOf("&"); at !== -1; at = text.indexOf("&", at + 1)) {
    if (++count > MAX_FIELDS) throw tooManyFields();
  }
  return new URLSearchParams(text);
}

async function fieldsOf(body: ArrayBuffer, type: string): Promise<URLSearchParams> {
  const fields = new URLSearchParams();
  let count = 0;
  for (const [name, value] of await partsOf(body, type)) {
    if (++count > MAX_FIELDS) throw tooManyFields();
    if (typeof value === "string") fields.append(name, value);
  }
  return fields;
}

async function partsOf(body: ArrayBuffer, type: string): Promise<Iterable<[string, unknown]>> {
  try {
    return await new Response(body, { headers: { "content-type": type } }).formData();
  } catch (cause) {
    throw new HttpError(400, "The request's form is malformed.", { cause });
  }
}

function tooManyFields(): HttpError {
  return new HttpError(413, `The request's form has more than ${MAX_FIELDS} fields.`);
}

function queryOf(url: string): string {
  const mark = url.indexOf("?");
  return mark === -1 ? "" : url.slice(mark + 1);
}
