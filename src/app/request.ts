import type { StandardSchemaV1 } from "@standard-schema/spec";

import type { SomeOpenSession } from "../session/open-session.ts";
import type { Session, SessionShape } from "../session/session.ts";
import { status } from "./answers.ts";
import type { BodyLimits, FilesOptions, PartsOptions } from "./body.ts";
import { Body } from "./body.ts";
import type { ServerLike } from "./server-like.ts";
import type { UploadPart } from "./upload-part.ts";
import type { UploadedFile } from "./uploaded-file.ts";
import type { OutputOf, Problem } from "./validate.ts";
import { InvalidInput, toRecord, validate } from "./validate.ts";

/** Shared, because an empty array for each request would take 4 % of its time. */
export const NO_LINES: readonly string[] = [];

/** The part of a visit that pages have access to. */
export interface VisitFacts {
  readonly raw: Request;
  /** The request as Bun's server knows it. */
  readonly arrived: Request;
  readonly server: ServerLike | undefined;
  readonly open: SomeOpenSession | undefined;
  readonly match: { readonly page: string | null; readonly params: readonly string[] } | undefined;
  readonly site: BodyLimits;
  readonly id: string;
}

/** The request that a page answers: `this.request`. */
export class AppRequest<Data extends SessionShape<Data>> {
  readonly #visit: VisitFacts;
  #query: URLSearchParams | undefined;
  #cookies: Bun.CookieMap | undefined;
  #ownBody: Body | undefined;

  constructor(visit: VisitFacts) {
    this.#visit = visit;
  }

  /** The web-standard `Request`. */
  get raw(): Request {
    return this.#visit.raw;
  }

  /**
   * Identifies the request in logs: its `X-Request-Id`, if that has 1 to 64 letters, digits, `.`,
   * `_` and `-`; otherwise a new UUID. Once read, the id is also sent as the response's
   * `X-Request-Id`.
   */
  get id(): string {
    return this.#visit.id;
  }

  /** The path as it was sent, percent-encoded, without the query. */
  get path(): string {
    return toPath(locate(this.#visit));
  }

  /** The pattern of the page that answers, such as `/users/:id`; `null` if none does. */
  get page(): string | null {
    return this.#visit.match?.page ?? null;
  }

  /** The values of the pattern's parameters, decoded: the arguments of the page. */
  get params(): readonly string[] {
    return this.#visit.match?.params ?? NO_LINES;
  }

  /** `GET`, `POST` and so on. */
  get method(): string {
    return this.raw.method;
  }

  /**
   * The id of the last event that the browser received, if it reconnects to an event stream;
   * otherwise `null`.
   */
  get lastEventId(): string | null {
    const id = this.raw.headers.get("last-event-id");
    // Browsers send UTF-8, which Bun decodes as Latin-1.
    return id === null ? null : Buffer.from(id, "latin1").toString("utf8");
  }

  /**
   * The whole URL, as text. Always one that `new URL()` takes: where the Host header is missing or makes no URL, it
   * begins with `http://localhost`.
   */
  get url(): string {
    const { url } = this.raw;
    return URL.canParse(url) ? url : `http://localhost${toTarget(url)}`;
  }

  get headers(): Headers {
    return this.raw.headers;
  }

  /**
   * The visitor's session. See {@link Session}.
   *
   * @throws Error in `onError`, if the request failed before its session was opened.
   */
  get session(): Session<Data> {
    const { open } = this.#visit;
    if (open !== undefined) return open.session as Session<Data>;
    throw new Error(
      "This request has no session: it failed before its session was opened. In onError, check the error's status first.",
    );
  }

  /**
   * The request's cookies. What you set or delete here is sent with the response, unless the page
   * fails. Do not set the session's own cookie: the session does that.
   */
  get cookies(): Bun.CookieMap {
    this.#cookies ??= new Bun.CookieMap(this.raw.headers.get("cookie") ?? "");
    return this.#cookies;
  }

  /** The `Set-Cookie` lines of the cookies that the handler has set or deleted. */
  get _setCookies(): readonly string[] {
    return this.#cookies?.toSetCookieHeaders() ?? NO_LINES;
  }

  /**
   * The client's address; behind a proxy, the proxy's; `null` if the request did not arrive on a
   * socket.
   */
  get ip(): string | null {
    const { arrived, server } = this.#visit;
    return server?.requestIP(arrived)?.address ?? null;
  }

  /** All values of the query. */
  query(): URLSearchParams;
  /** The first value of this name in the query, or the default. */
  query(name: string): string | undefined;
  query(name: string, fallback: string): string;
  /**
   * The query, converted by a Standard Schema, which gets its names and values as an object, as
   * those of a form: see {@link form}.
   *
   * @throws InvalidInput (422) if the schema refuses the query.
   */
  query<Schema extends StandardSchemaV1>(schema: Schema): Promise<OutputOf<Schema>>;
  query(
    what?: string | StandardSchemaV1,
    fallback?: string,
  ): URLSearchParams | string | undefined | Promise<unknown> {
    this.#query ??= new URLSearchParams(readQuery(locate(this.#visit)));
    if (what === undefined) return new URLSearchParams(this.#query);
    if (typeof what === "string") return this.#query.get(what) ?? fallback;
    return validate(what, toRecord(this.#query));
  }

  /**
   * The body as JSON; with a Standard Schema (of zod, valibot, arktype and others), as converted by
   * the schema.
   *
   * @throws HttpError 400 if the body is incomplete or not JSON, 413 if it is larger than
   *   `maxBodyBytes`, 415 if it is compressed; InvalidInput (422) if the schema refuses it; Error if
   *   {@link files} or {@link parts} has read it.
   */
  json<Value = unknown>(): Promise<Value>;
  json<Schema extends StandardSchemaV1>(schema: Schema): Promise<OutputOf<Schema>>;
  async json(schema?: StandardSchemaV1): Promise<unknown> {
    const value = await this.#body().json();
    return schema === undefined ? value : validate(schema, value);
  }

  /**
   * The body's fields, from a form that browsers send as `application/x-www-form-urlencoded` or
   * `multipart/form-data`. A request without a body has none. Files are left out. While
   * {@link parts} reads the files, and after it or {@link files} has, these are the fields that
   * have arrived.
   *
   * With a Standard Schema, the fields as converted by the schema. The schema gets an object: a
   * field that occurs once is a string, one that occurs several times an array of strings. A field
   * whose name ends in `[]` is always an array, under the name without the brackets.
   *
   * @throws HttpError 400 if the body is malformed or incomplete, 413 if it is larger than
   *   `maxBodyBytes` or has more than 1,000 fields, files included, 415 if it is of another type or
   *   compressed; InvalidInput (422) if the schema refuses the fields.
   */
  form(): Promise<URLSearchParams>;
  form<Schema extends StandardSchemaV1>(schema: Schema): Promise<OutputOf<Schema>>;
  /**
   * The same, but if the schema refuses the fields, the result of `showAgain` is sent with status
   * 422: the form again, with its problems and the fields as they were sent.
   */
  form<Schema extends StandardSchemaV1>(
    schema: Schema,
    showAgain: (problems: readonly Problem[], fields: URLSearchParams) => unknown,
  ): Promise<OutputOf<Schema>>;
  async form(
    schema?: StandardSchemaV1,
    showAgain?: (problems: readonly Problem[], fields: URLSearchParams) => unknown,
  ): Promise<unknown> {
    const fields = await this.#body().form();
    if (schema === undefined) return fields;
    try {
      return await validate(schema, toRecord(fields));
    } catch (error) {
      if (showAgain === undefined || !(error instanceof InvalidInput)) throw error;
      throw status(422, await showAgain(error.problems, fields));
    }
  }

  /**
   * The files of a `multipart/form-data` form, in memory, each with its `field`. The text fields
   * are then in {@link form}. Empty file inputs are left out.
   *
   * @throws HttpError 400 if the body is malformed or incomplete, 413 if it is larger than
   *   `maxUploadBytes`, exceeds one of the limits or has more than 1,000 parts, 415 if it is not
   *   `multipart/form-data` or is compressed; TypeError if `maxBytes` exceeds `maxUploadBytes`; Error
   *   if this method or {@link parts} has read the body.
   */
  files(limits: FilesOptions = {}): Promise<UploadedFile[]> {
    return this.#body().files(limits);
  }

  /**
   * The files of a `multipart/form-data` form, one after the other, while they arrive: for files
   * that are too large for memory. In the loop, {@link form} has the text fields that came before
   * the file, and after the loop all of them. Empty file inputs are left out.
   *
   * ```ts
   * for await (const part of this.request.parts({ maxFileBytes: 200 * 1024 * 1024 })) {
   *   await part.save(`uploads/${part.filename}`);
   * }
   * ```
   *
   * @throws as {@link files} does; TypeError if `maxFileBytes` exceeds `maxUploadBytes`.
   */
  parts(limits: PartsOptions = {}): AsyncGenerator<UploadPart, void, undefined> {
    return this.#body().parts(limits);
  }

  /**
   * The body as text, in UTF-8.
   *
   * @throws HttpError 400 if the body is incomplete, 413 if it is larger than `maxBodyBytes`, 415
   *   if it is compressed; Error if {@link files} or {@link parts} has read it.
   */
  text(): Promise<string> {
    return this.#body().text();
  }

  /**
   * The body as it was sent.
   *
   * @throws HttpError 400 if the body is incomplete, 413 if it is larger than `maxBodyBytes`; Error
   *   if {@link files} or {@link parts} has read it.
   */
  async bytes(): Promise<Uint8Array<ArrayBuffer>> {
    return new Uint8Array(await this.#body().bytes());
  }

  #body(): Body {
    if (this.#ownBody !== undefined) return this.#ownBody;
    const { raw, arrived, site } = this.#visit;
    this.#ownBody = new Body(raw, site, raw === arrived && this.ip !== null);
    return this.#ownBody;
  }
}

function readQuery(url: string): string {
  const mark = url.indexOf("?");
  // URLSearchParams ignores the first "?".
  return mark === -1 ? "" : url.slice(mark);
}

/**
 * A visit's URL without its fragment, which only a request made in this process can have. In a
 * request from a connection, "#" is a character of the path (RFC 9112, 3.2): if it were cut off, a
 * proxy would see one path and the app another.
 */
export function locate({ raw, server }: Pick<VisitFacts, "raw" | "server">): string {
  const { url } = raw;
  const mark = server === undefined ? url.indexOf("#") : -1;
  return mark === -1 ? url : url.slice(0, mark);
}

/** The path of a URL, as it is written there. Parsing the URL takes five times as long. */
export function toPath(url: string): string {
  const start = startOfPath(url);
  if (start === -1) return "/";
  const mark = url.indexOf("?", start);
  return mark === -1 ? url.slice(start) : url.slice(start, mark);
}

/**
 * The path and query of a URL, as they are written there. If the Host header is missing or
 * malformed, Bun's URL consists of these alone.
 */
export function toTarget(url: string): string {
  const start = startOfPath(url);
  return start === -1 ? "/" : url.slice(start);
}

function startOfPath(url: string): number {
  return url.startsWith("/") ? 0 : url.indexOf("/", "https://".length);
}
