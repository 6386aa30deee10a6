import { CrossOriginError } from "../http/errors.ts";
import { unshared, withVary } from "../http/headers.ts";
import { SessionStoreError } from "../store/errors.ts";
import { HttpError } from "./errors.ts";
import { Html } from "./html.ts";

/**
 * How one kind of value is sent. Its headers are made once: a response made from ready `Headers`
 * takes 0.2 µs, one made from a record of names and values 0.6.
 */
class Kind {
  readonly #plain: ResponseInit | undefined;
  readonly #varying: ResponseInit;

  constructor(headers?: Record<string, string>) {
    this.#plain = headers && { headers: new Headers(headers) };
    this.#varying = { headers: new Headers({ ...headers, vary: "Cookie" }) };
  }

  init(varies: boolean): ResponseInit | undefined {
    return varies ? this.#varying : this.#plain;
  }
}

// Bun would give a string this type by itself, but only when it sends it: whoever handles the response
// before then, such as a framework that the app is mounted in, would find none.
const TEXT = new Kind({ "content-type": "text/plain;charset=utf-8" });
const HTML = new Kind({ "content-type": "text/html;charset=utf-8" });
const JSON_TEXT = new Kind({ "content-type": "application/json;charset=utf-8" });
const BYTES = new Kind({ "content-type": "application/octet-stream" });
const UNTYPED = new Kind();

/**
 * Turns what a handler returned into a response: a `Response` as it is, a string as plain text,
 * `` html`…` `` as HTML, `null` and `undefined` as 204, bytes, blobs and streams as they are, and
 * everything else as JSON. An error that is returned counts as thrown. `varies` says that the
 * response depends on the visitor's cookie.
 *
 * @throws TypeError for what cannot be sent.
 */
export function responseOf(value: unknown, varies: boolean): Response {
  if (typeof value === "string") return new Response(value, TEXT.init(varies));
  if (value instanceof Html) return new Response(value.toString(), HTML.init(varies));
  if (value instanceof Response) return varies ? withVary(value) : value;
  if (value === null || value === undefined) {
    return new Response(null, { ...UNTYPED.init(varies), status: 204 });
  }
  if (value instanceof Blob || value instanceof ReadableStream) {
    return new Response(value, UNTYPED.init(varies));
  }
  if (value instanceof ArrayBuffer || value instanceof Uint8Array) {
    return new Response(value, BYTES.init(varies));
  }
  if (value instanceof Error) throw value;
  return new Response(jsonOf(value), JSON_TEXT.init(varies));
}

/** The response with further `Set-Cookie` lines. */
export function withCookies(response: Response, lines: readonly string[]): Response {
  if (lines.length === 0) return response;
  const answer = unshared(response);
  for (const line of lines) answer.headers.append("set-cookie", line);
  return answer;
}

/**
 * The response to an error. An HttpError says what went wrong, and so do a SessionStoreError and a
 * CrossOriginError as far as the visitor may know; anything else is a bare 500.
 */
export function errorResponse(error: unknown, varies: boolean): Response {
  const response = responseToError(error);
  return varies ? withVary(response) : response;
}

function responseToError(error: unknown): Response {
  if (error instanceof HttpError) return errorText(error.message, error.status, error.headers);
  if (error instanceof SessionStoreError || error instanceof CrossOriginError) {
    return error.toResponse();
  }
  return errorText("Something went wrong on this server.", 500, {});
}

function errorText(
  message: string,
  status: number,
  headers: Readonly<Record<string, string>>,
): Response {
  const type = { "content-type": "text/plain;charset=utf-8" };
  return new Response(message, { status, headers: { ...type, ...headers } });
}

function jsonOf(value: unknown): string {
  const isIterator =
    typeof value === "object" &&
    value !== null &&
    !Array.isArray(value) &&
    (Symbol.iterator in value || Symbol.asyncIterator in value);
  const text: unknown = isIterator ? undefined : JSON.stringify(value);
  if (typeof text === "string") return text;
  const kind = isIterator ? "an iterator" : `a ${typeof value}`;
  throw new TypeError(`A handler returned ${kind}, which cannot be sent.`);
}
