import { decode } from "../session/json.ts";
import { escapeControls, escapeError } from "../session/log.ts";
import type { SomeOpenSession } from "../session/open-session.ts";
import { isPromise } from "../store/maybe-promise.ts";
import type { SessionRecord } from "../store/record.ts";
import { toPath } from "./request.ts";

/** A request that has its response, for the app's own log. Has neither cookies nor the path, which may hold secrets. */
export interface LogEntry {
  /** `this.request.id`, which the response has as `X-Request-Id`. */
  readonly id: string;
  readonly method: string;
  /** The pattern of the page that answered, such as `/users/:id`; `null` where none did. */
  readonly page: string | null;
  readonly status: number;
  /** How long the response took, in milliseconds. Of a stream, until it began. */
  readonly ms: number;
  /** Who is logged in; `null` for nobody. */
  readonly userId: string | null;
}

/** A visit, as far as it is logged. */
interface LoggedVisit {
  readonly raw: Request;
  readonly match: { readonly page: string | null } | undefined;
  readonly open: SomeOpenSession | undefined;
  readonly id: string;
  /** When it began, by `performance.now()`. */
  readonly begunAt: number;
}

/** Where each request goes that has its response. */
export interface Log {
  /** Whether it writes the request's id, which the response has to have then. */
  readonly needsId: boolean;
  write(visit: LoggedVisit, status: number, ms: number): unknown;
}

/**
 * The log that an app's `log` asks for.
 *
 * @throws TypeError for what is neither a function nor `false`.
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

/** A line on the console: `POST /cart 303 2 ms · stored cart, 143 bytes`. */
export const LINES: Log = {
  needsId: false,
  write({ raw, open }, status, ms) {
    const notes = open === undefined ? [] : describeSession(open);
    const begin = `${raw.method} ${toPath(raw.url)} ${status} ${Math.round(ms)} ms`;
    console.info("%s", escapeControls([begin, ...notes].join(" · ")));
  },
};

/** Logs a visit. Never throws: the response is made. */
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

/** What became of the visitor's session in the store. Says nothing of what it holds but the names. */
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

/** The keys whose values differ, and `flash` for the messages. */
function findChanges(former: SessionRecord | undefined, record: SessionRecord): readonly string[] {
  const before = decode(former?.data ?? "{}") ?? {};
  const after = decode(record.data) ?? {};
  const keys = Object.keys({ ...before, ...after });
  const changed = keys.filter((key) => JSON.stringify(before[key]) !== JSON.stringify(after[key]));
  const hasFlash = (former?.flash ?? null) !== record.flash;
  return hasFlash ? [...changed, "flash"] : changed;
}
