import { addVary, isForOne, respondOnce } from "../http/headers.ts";
import { refuseUnknown } from "../store/known-options.ts";
import type { MaybePromise } from "../store/maybe-promise.ts";
import { andThen } from "../store/maybe-promise.ts";
import type { Coding } from "./accept-encoding.ts";
import { chooseCoding } from "./accept-encoding.ts";
import { isLazy } from "./answers.ts";
import { visits } from "./visit.ts";

/** The options of {@link compress}. */
export interface CompressOptions {
  /** The smallest body to compress, in bytes; 1,024 by default. */
  readonly minBytes?: number;
}

const OPTIONS = ["minBytes"] as const satisfies readonly (keyof CompressOptions)[];

const DEFAULT_MIN_BYTES = 1024;

/** Types that compress well. Event streams are excluded: browsers read them event by event. */
const COMPRESSIBLE =
  /^(?:text\/(?!event-stream)|application\/(?:json|javascript|xml|wasm|x-ndjson)|image\/svg|[^;]*\+(?:json|xml|text))/i;

/** Statuses of responses with no body or only a part of one. */
const INCOMPLETE = new Set([101, 204, 205, 206, 304]);

/**
 * Middleware that compresses responses with zstd, Brotli or gzip, whichever the client prefers:
 * `this.use(compress())`. Compresses text, JSON and similar types of at least `minBytes`, and
 * streams of these types piece by piece. Leaves event streams and responses with
 * `Cache-Control: no-transform` alone.
 *
 * The size of a compressed response reveals what repeats in it (BREACH). Do not use this middleware
 * where one response contains both a secret and text that a link can choose, such as a search term.
 * A response that depends on the session is not compressed if another site's page caused the
 * request.
 *
 * @throws TypeError for an unknown or invalid option.
 */
export function compress(
  options: CompressOptions = {},
): (
  request: { readonly raw: Request },
  next: () => MaybePromise<Response>,
) => MaybePromise<Response> {
  refuseUnknown("compress()", options, OPTIONS);
  const { minBytes = DEFAULT_MIN_BYTES } = options;
  if (!(minBytes >= 0)) {
    throw new TypeError(`\`minBytes\` is ${minBytes}; it has to be a number of bytes.`);
  }
  return ({ raw }, next) => andThen(next(), (response) => encode(raw, response, minBytes));
}

function encode(request: Request, response: Response, minBytes: number): MaybePromise<Response> {
  if (!isCompressible(response)) return response;
  addVary(response.headers, "Accept-Encoding");
  const coding = chooseCoding(request.headers.get("accept-encoding"));
  if (coding === undefined || isExposed(request)) return response;
  return isWhole(response)
    ? encodeWhole(response, coding, minBytes)
    : encodePieces(response, coding, minBytes);
}

function isCompressible({ status, headers }: Response): boolean {
  const asked = readAskedHeaders();
  const read = (name: string): string => asked?.get(name) ?? headers.get(name) ?? "";
  return (
    COMPRESSIBLE.test(read("content-type")) &&
    !INCOMPLETE.has(status) &&
    read("content-encoding") === "" &&
    // A client that resumes a download must get the same bytes.
    read("accept-ranges") === "" &&
    !/\bno-transform\b/i.test(read("cache-control"))
  );
}

/** The headers of `this.response`, which replace those of the response when it is sent. */
function readAskedHeaders(): Headers | undefined {
  return visits.getStore()?.askedDraft?.headers;
}

/**
 * Whether another site's page requests a response that depends on the visitor: that page could
 * probe what the response repeats (BREACH).
 */
function isExposed({ headers }: Request): boolean {
  const site = headers.get("sec-fetch-site");
  const isForeign = site === "cross-site" || site === "same-site";
  return isForeign && visits.getStore()?.open?.isAccessed === true;
}

/**
 * Whether the app has made the whole body. Any other body must not be read before the response is
 * sent.
 */
function isWhole(response: Response): boolean {
  const isMade = visits.getStore()?.made === response || isForOne(response);
  return isMade && !isLazy(response);
}

async function encodeWhole(
  response: Response,
  coding: Coding,
  minBytes: number,
): Promise<Response> {
  const bytes = new Uint8Array(await response.arrayBuffer());
  if (bytes.length < minBytes) return answerWith(response, bytes);
  const { encodeBytes } = await loadCodings();
  return toEncoded(response, await encodeBytes(bytes, coding), coding);
}

async function encodePieces(
  response: Response,
  coding: Coding,
  minBytes: number,
): Promise<Response> {
  const length = response.headers.get("content-length");
  const { body } = response;
  if (body === null || (length !== null && Number(length) < minBytes)) return response;
  const { encodeStream } = await loadCodings();
  return toEncoded(response, encodeStream(body, coding), coding);
}

/** Loads lazily: node:zlib takes longer to load than everything else that an app needs. */
function loadCodings(): Promise<typeof import("./codings.ts")> {
  return import("./codings.ts");
}

type EncodedBody = Uint8Array<ArrayBuffer> | ReadableStream<Uint8Array>;

function toEncoded(response: Response, body: EncodedBody, coding: Coding): Response {
  const encoded = answerWith(response, body);
  encoded.headers.set("content-encoding", coding);
  forgetBytes(encoded.headers);
  const asked = readAskedHeaders();
  if (asked !== undefined) forgetBytes(asked);
  return encoded;
}

/** Removes what headers say about the bytes of the body before its compression. */
function forgetBytes(headers: Headers): void {
  headers.delete("content-length");
  // A strong tag promises identical bytes (RFC 9110, 8.8.1).
  const etag = headers.get("etag");
  if (etag?.startsWith('"') === true) headers.set("etag", `W/${etag}`);
}

function answerWith({ status, statusText, headers }: Response, body: EncodedBody): Response {
  return respondOnce(body, { status, statusText, headers });
}
