import { Html } from "./html.ts";

/**
 * A page's value as JSON. `what` begins the message of an error.
 *
 * @throws TypeError for a value that JSON would lose or cannot hold, with the remedy.
 */
export function toJsonText(value: unknown, what = "A page returned"): string {
  const fault = findFault(value);
  if (fault !== undefined) throw new TypeError(`${what} ${fault}`);
  let text: string | undefined;
  try {
    text = JSON.stringify(value) as string | undefined;
  } catch (cause) {
    throw new TypeError(`${what} a value that JSON cannot hold: ${readMessage(cause)}`, { cause });
  }
  if (text !== undefined) return text;
  throw new TypeError(
    `${what} a ${typeof value}, which cannot be sent. Return text, html\`…\`, a Response or a value that JSON can hold.`,
  );
}

/** Describes what is wrong with a value, ending in the remedy. Looks one level deep. */
function findFault(value: unknown): string | undefined {
  if (typeof value !== "object" || value === null) return undefined;
  if (Array.isArray(value) && isStatusTuple(value)) return STATUS_TUPLE;
  const own = findLoss(value);
  if (own !== undefined || Array.isArray(value)) return own;
  for (const key in value) {
    const inner: unknown = (value as Record<string, unknown>)[key];
    if (typeof inner !== "object" || inner === null) continue;
    const fault = findLoss(inner);
    if (fault !== undefined) return `an object whose "${key}" is ${fault}`;
  }
  return undefined;
}

const STATUS_TUPLE =
  "a list that begins with a status. Return status(code, body, headers) for a response with a status.";

/** `[404, "Not here"]`: how other frameworks write a response with a status. */
function isStatusTuple(list: readonly unknown[]): boolean {
  const [first, second] = list;
  const isStatus = typeof first === "number" && Number.isInteger(first);
  return (
    isStatus &&
    first >= 200 &&
    first <= 599 &&
    list.length > 1 &&
    list.length < 4 &&
    typeof second !== "number"
  );
}

/** Describes a value that JSON would silently turn into `{}`. */
function findLoss(value: object): string | undefined {
  if (Array.isArray(value)) return findLossInList(value);
  if (value instanceof Map) return "a Map, which JSON would lose. Return Object.fromEntries(map).";
  if (value instanceof Set) return "a Set, which JSON would lose. Return [...set].";
  if (value instanceof Html) {
    return "HTML, which JSON would lose. Return html`${list}` to show a list of it, and String(value) for its text.";
  }
  if (value instanceof Blob) return "a Blob, which JSON would lose. Return the blob itself.";
  if (value instanceof Response) return "a Response, which JSON would lose. Return it alone.";
  if (value instanceof Error && !("toJSON" in value)) {
    return "an error, which JSON would lose. Return its message.";
  }
  if ("then" in value && typeof value.then === "function") {
    return "a promise, which JSON would lose. Await it first; of a list, await Promise.all(list).";
  }
  if (Symbol.iterator in value || Symbol.asyncIterator in value) {
    return "an iterator, which JSON would lose. Collect it first: [...values].";
  }
  return undefined;
}

/** Looks at the first value only: `list.map(async …)` makes each of them a promise. */
function findLossInList([first]: readonly unknown[]): string | undefined {
  if (typeof first !== "object" || first === null || Array.isArray(first)) return undefined;
  const fault = findLoss(first);
  return fault === undefined ? undefined : `a list that begins with ${fault}`;
}

function readMessage(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
