import type { MaybePromise } from "../store/maybe-promise.ts";

/** A file on disk: what its response needs. */
export interface FoundFile {
  readonly path: string;
  /** In bytes. */
  readonly size: number;
  /** When the file was last modified, in Unix milliseconds. */
  readonly mtimeMs: number;
}

/**
 * The response to GET or HEAD for a file: 200; 206 or 416 for one byte range; 304 or 412 for a
 * precondition (RFC 9110, 13 and 14). Several ranges and malformed ones get the whole file.
 */
export function respondWithFile(
  request: Request,
  file: FoundFile,
  cacheControl: string,
): MaybePromise<Response> {
  const { path, size, mtimeMs } = file;
  const lastModified = new Date(mtimeMs).toUTCString();
  // Weak, because bytes can change unnoticed within one tick of the file system's clock.
  const etag = `W/"${size.toString(16)}-${Math.trunc(mtimeMs).toString(16)}"`;
  const headers = new Headers({
    "accept-ranges": "bytes",
    "cache-control": cacheControl,
    etag,
    "last-modified": lastModified,
  });
  const status = checkConditions(request.headers, etag, lastModified);
  if (status !== undefined) return new Response(null, { status, headers });
  const content = Bun.file(path);
  headers.set("content-type", content.type);
  headers.set("content-length", String(size));
  if (request.method === "HEAD") return new Response(null, { headers });
  const asked = request.headers.get("range");
  // If-Range never matches a weak tag (RFC 9110, 13.1.5): only the date can match.
  const condition = request.headers.get("if-range");
  if (asked === null || (condition !== null && condition !== lastModified))
    return new Response(content, { headers });
  return respondWithPart(content, headers, asked);
}

async function respondWithPart(
  content: Bun.BunFile,
  headers: Headers,
  asked: string,
): Promise<Response> {
  // Loaded on the first range request.
  const { parse } = await import("range-parser");
  const size = Number(headers.get("content-length"));
  const { type, code, ranges } = parse(size, asked);
  const [range, another] = ranges;
  if (type !== "bytes" || (code & INVALID) !== 0 || another !== undefined)
    return new Response(content, { headers });
  if (range === undefined) {
    headers.set("content-length", "0");
    headers.set("content-range", `bytes */${size}`);
    return new Response(null, { status: 416, headers });
  }
  const { start, end } = range;
  headers.set("content-length", String(end - start + 1));
  headers.set("content-range", `bytes ${start}-${end}/${size}`);
  return new Response(content.slice(start, end + 1), { status: 206, headers });
}

/** A bit of `code`: the header has a malformed range. */
const INVALID = 1;

/**
 * The status of the response if a precondition of the request decides it, in the order of RFC 9110,
 * 13.2.2.
 */
function checkConditions(
  headers: Headers,
  etag: string,
  lastModified: string,
): 304 | 412 | undefined {
  const match = headers.get("if-match");
  const unmodifiedSince = headers.get("if-unmodified-since");
  if (match !== null) {
    // If-Match never matches a weak tag (RFC 9110, 13.1.1).
    if (match.trim() !== "*") return 412;
  } else if (unmodifiedSince !== null && isLater(lastModified, unmodifiedSince)) return 412;

  const noneMatch = headers.get("if-none-match");
  if (noneMatch !== null) return namesTag(noneMatch, etag) ? 304 : undefined;
  const modifiedSince = headers.get("if-modified-since");
  if (modifiedSince === null) return undefined;
  return isLater(lastModified, modifiedSince) !== false ? undefined : 304;
}

/** The three formats of a date in HTTP (RFC 9110, 5.6.7). Other dates are ignored. */
const HTTP_DATE =
  /^(?:\w{3}, \d\d \w{3} \d{4} [\d:]{8} GMT|\w{6,9}, \d\d-\w{3}-\d\d [\d:]{8} GMT|(\w{3} \w{3} [ \d]\d [\d:]{8} \d{4}))$/;

/** In milliseconds; NaN if the date is malformed. The last format does not name its time zone. */
function parseDate(date: string): number {
  const [whole = "", withoutZone] = HTTP_DATE.exec(date) ?? [];
  return Date.parse(withoutZone === undefined ? whole : `${withoutZone} GMT`);
}

/** Whether a date is later than another; `undefined` if the other is malformed. */
function isLater(one: string, other: string): boolean | undefined {
  const limit = parseDate(other);
  return Number.isNaN(limit) ? undefined : Date.parse(one) > limit;
}

/** Whether `If-None-Match` lists the tag or `*`, by weak comparison (RFC 9110, 13.1.2). */
function namesTag(noneMatch: string, etag: string): boolean {
  const opaque = etag.slice(2);
  const tags = noneMatch.split(",").map((tag) => tag.trim());
  return tags.some((tag) => tag === "*" || tag === opaque || tag === etag);
}
