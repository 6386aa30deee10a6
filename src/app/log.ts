import { decode } from "../session/json.ts";
import { escapeControls, escapeError } from "../session/log.ts";
import type { SomeOpenSession } from "../session/open-session.ts";
import { isPromise } from "../store/maybe-promise.ts";
import type { SessionRecord } from "../store/record.ts";
import { toPath } from "./request.ts";

/**
 * An answered request, for the app's own log. Contains neither cookies nor the path, which may hold
 * secrets.
 */
export interface LogEntry {
  /** `this.request.id`, which is also sent as the response's `X-Request-Id`. */
  readonly id: string;
  readonly method: string;
  /** The pattern of the page that answered, such as `/users/:id`; `null` if none did. */
  readonly page: string | null;
  readonly status: number;
  /** The time until the response was ready, in milliseconds; for a stream, until it began. */
  readonly ms: number;
  /** The user who is logged in; `null` if nobody is. */
  readonly userId: string | null;
}

/** The part of a visit that is logged. */
interface LoggedVisit {
  readonly raw: Request;
  readonly match: { readonly page: string | null } | undefined;
  readonly open: SomeOpenSession | undefined;
  readonly id: string;
  /** When the visit began, by `performance.now()`. */
  readonly begunAt: number;
}

/** Where answered requests are logged. */
export interface Log {
  /** Whether it writes the request's id, so that the response has to carry the id too. */
  readonly needsId: boolean;
  write(visit: LoggedVisit, status: number, ms: number): unknown;
}

/**
 * Turns App's `log` option into a log.
 *
 * @throws TypeError if the option is neither a function nor `false`.
 */
export function toLog(option: unknown): Log | undefined {
  if (option === undefined || option === false) return undefined;
  if (typeof option !== "function") {
    throw new TypeError(
      "`log` has to be a function that takes an entry, (entry) => …, or `false` for no log.",
    );
  }
  return {
    needsId: true,
    write({ id, raw, match, open }, status, ms) {
      const page = match?.page ?? null;
      const userId = open?.meta.userId ?? null;
      const entry: LogEntry = { id, method: raw.method, page, status, ms, userId };
      return (option as (entry: LogEntry) => unknown)(entry);
    },
  };
}

/** Writes a line on the console: `POST /cart 303 2 ms · stored cart, 143 bytes`. */
export const LINES: Log = {
  needsId: false,
  write({ raw, open }, status, ms) {
    const notes = open === undefined ? [] : describeSession(open);
    const begin = `${raw.method} ${toPath(raw.url)} ${status} ${Math.round(ms)} ms`;
    console.info("%s", escapeControls([begin, ...notes].join(" · ")));
  },
};

/** Logs a visit. Never throws, because the response has already been made. */
export function writeLog(log: Log, visit: LoggedVisit, status: number): void {
  try {
    const written = log.write(visit, status, performance.now() - visit.begunAt);
    if (isPromise(written)) written.catch(complain);
  } catch (error) {
    complain(error);
  }
}

function complain(error: unknown): void {
  console.error("The app's log failed:", escapeError(error));
}

/** What happened to the visitor's session in the store. Of its data, reveals only the keys. */
function describeSession({ arrived, hasEnded, life, meta }: SomeOpenSession): string[] {
  const { place } = life;
  const notes = hasEnded && arrived.at === "store" ? ["destroyed"] : [];
  if (place.at !== "store" || place === arrived) return notes;
  const former = arrived.at === "store" && !hasEnded ? arrived : undefined;
  const isLogin =
    place.record.userId !== null && place.record.authenticatedAt !== former?.record.authenticatedAt;
  if (former === undefined) notes.push("new session");
  else if (!isLogin && former.id !== place.id) notes.push("new id");
  if (isLogin) notes.push(`login ${meta.userId}`);
  const keys = findChanges(former?.record, place.record);
  const { data, flash } = place.record;
  const bytes = Buffer.byteLength(data) + Buffer.byteLength(flash ?? "");
  if (keys.length > 0) notes.push(`stored ${keys.join(", ")}, ${bytes} bytes`);
  return notes;
}

/** The keys whose values differ, and `flash` if the messages do. */
function findChanges(former: SessionRecord | undefined, record: SessionRecord): readonly string[] {
  const before = decode(former?.data ?? "{}") ?? {};
  const after = decode(record.data) ?? {};
  const keys = Object.keys({ ...before, ...after });
  const changed = keys.filter((key) => JSON.stringify(before[key]) !== JSON.stringify(after[key]));
  const hasFlash = (former?.flash ?? null) !== record.flash;
  return hasFlash ? [...changed, "flash"] : changed;
}
