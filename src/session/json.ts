import { parseData } from "../store/record.ts";
import { SessionDataError } from "./errors.ts";
import { escapeControls } from "./log.ts";

/** Deeper than any sensible session, and far from where a recursion would run out of stack. */
const MAX_DEPTH = 200;

interface Fault {
  readonly path: string;
  readonly reason: string;
}

/**
 * The JSON text of a dictionary. Of all that JSON holds only `-0` comes back as something else: `0`.
 *
 * @throws SessionDataError naming the key path of the first value that JSON would lose or change: a
 *   function, a symbol, a BigInt, NaN, a hole in an array, a Date, Map or any other class instance, a
 *   cycle; a symbol for a key, a hidden property, a named property of an array. A property that is
 *   `undefined` counts as absent.
 */
export function encode(dictionary: object, name: string): string {
  const keys = Object.keys(dictionary);
  if (hasHiddenKeys(dictionary, keys.length)) throw toError(dictionary, name);
  // A plain copy: Bun takes twice as long for an object with a prototype of its own.
  const copy: Record<string, unknown> = {};
  for (const key of keys) {
    const item = (dictionary as Record<string, unknown>)[key];
    if (item === undefined) continue;
    if (!isPlain(item, 1)) throw toError(dictionary, name);
    if (key === "__proto__") return JSON.stringify({ ...dictionary });
    copy[key] = item;
  }
  return JSON.stringify(copy);
}

/**
 * The dictionary in a JSON text, or `undefined` when the text holds none that `encode` would take:
 * `1e999` is a number in JSON, and Infinity once it is read.
 */
export function decode(text: string): Record<string, unknown> | undefined {
  const value = parseData(text);
  return value !== undefined && isSound(value, 0) ? value : undefined;
}

/**
 * A copy without a prototype: to it, `__proto__` is a key like any other.
 */
export function toDictionary(source: object): Record<string, unknown> {
  return Object.assign(Object.create(null), source) as Record<string, unknown>;
}

/**
 * Three-way merge of top-level keys: what changed from `base` to `mine` is applied to `theirs`. Where
 * both changed one key to different values, mine is kept, and the key is `overwritten`. All three stay
 * as they are.
 */
export function merge(
  base: object,
  mine: object,
  theirs: object,
): { readonly merged: Record<string, unknown>; readonly overwritten: readonly string[] } {
  const before = toDictionary(base);
  const after = toDictionary(mine);
  const merged = toDictionary(theirs);
  const overwritten: string[] = [];
  for (const key of Object.keys({ ...before, ...after })) {
    const [was, is, stored] = [before, after, merged].map((each) => JSON.stringify(each[key]));
    if (is === was) continue;
    if (stored !== was && stored !== is) overwritten.push(key);
    if (after[key] === undefined) delete merged[key];
    else merged[key] = after[key];
  }
  return { merged, overwritten };
}

function toError(dictionary: object, name: string): SessionDataError {
  const fault = faultOfEntries(dictionary, name, [dictionary]);
  return new SessionDataError(`${fault?.path ?? name} ${fault?.reason ?? "cannot be stored."}`);
}

/** Whether what `JSON.parse` returned could have been stored: it makes no other faults than these. */
function isSound(value: unknown, depth: number): boolean {
  if (typeof value === "number") return Number.isFinite(value);
  if (typeof value !== "object" || value === null) return true;
  if (depth > MAX_DEPTH) return false;
  for (const key in value) {
    if (!isSound((value as Record<string, unknown>)[key], depth + 1)) return false;
  }
  return true;
}

/** Whether there are more keys than the enumerable ones: symbols and hidden properties. */
function hasHiddenKeys(value: object, enumerable: number): boolean {
  return Reflect.ownKeys(value).length !== enumerable;
}

/**
 * Whether JSON gives the value back as it is. It is asked of every session, and takes half the time
 * that it takes to look for a fault and its path. May say no where there is none.
 */
function isPlain(value: unknown, depth: number): boolean {
  switch (typeof value) {
    case "string":
    case "boolean":
      return true;
    case "number":
      return Number.isFinite(value);
    case "object":
      return value === null || (depth <= MAX_DEPTH && arePlain(value, depth + 1));
    default:
      return false;
  }
}

function arePlain(value: object, depth: number): boolean {
  const prototype: unknown = Object.getPrototypeOf(value);
  if (Array.isArray(value)) {
    // Besides its items an array has its length, which is hidden, and nothing else.
    if (prototype !== Array.prototype || hasHiddenKeys(value, value.length + 1)) return false;
    // Not every(), which leaves holes out.
    for (let index = 0; index < value.length; index++) {
      if (!isPlain(value[index], depth)) return false;
    }
    return true;
  }
  if (prototype !== Object.prototype && prototype !== null) return false;
  let count = 0;
  for (const key in value) {
    count++;
    const item = (value as Record<string, unknown>)[key];
    if (item !== undefined && !isPlain(item, depth)) return false;
  }
  return !hasHiddenKeys(value, count);
}

function faultOf(value: unknown, path: string, ancestors: readonly object[]): Fault | undefined {
  switch (typeof value) {
    case "string":
    case "boolean":
      return undefined;
    case "number":
      return Number.isFinite(value)
        ? undefined
        : { path, reason: `is ${value}, which JSON turns into null.` };
    case "object":
      return value === null ? undefined : faultOfObject(value, path, ancestors);
    case "undefined":
      return { path, reason: "is undefined, which JSON turns into null. Store null instead." };
    default:
      return { path, reason: `is a ${typeof value}, which JSON cannot hold.` };
  }
}

function faultOfObject(
  value: object,
  path: string,
  ancestors: readonly object[],
): Fault | undefined {
  if (ancestors.includes(value)) {
    return { path, reason: "contains itself, which JSON cannot hold." };
  }
  if (ancestors.length > MAX_DEPTH) {
    return { path, reason: `is nested deeper than ${MAX_DEPTH} levels.` };
  }
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype === Array.prototype && Array.isArray(value)) {
    return faultOfItems(value, path, [...ancestors, value]);
  }
  if (prototype === Object.prototype || prototype === null) {
    return faultOfEntries(value, path, [...ancestors, value]);
  }
  const kind = value.constructor?.name || "object with a prototype of its own";
  const remedy = value instanceof Date ? "date.getTime()" : "{ ...value } or an array";
  return {
    path,
    reason: `is a ${kind}, which JSON does not give back. Store a plain value instead, such as ${remedy}.`,
  };
}

function faultOfItems(
  items: readonly unknown[],
  path: string,
  ancestors: readonly object[],
): Fault | undefined {
  for (let index = 0; index < items.length; index++) {
    const fault = faultOf(items[index], "", ancestors);
    if (fault !== undefined) return { ...fault, path: `${path}[${index}]${fault.path}` };
  }
  const named = Reflect.ownKeys(items).find((key) => key !== "length" && !isIndex(key, items));
  return named === undefined
    ? undefined
    : {
        path: `${path}${step(named)}`,
        reason: "is a named property of an array, which JSON drops.",
      };
}

function isIndex(key: string | symbol, items: readonly unknown[]): boolean {
  return typeof key === "string" && String(Number(key)) === key && Number(key) < items.length;
}

function faultOfEntries(
  value: object,
  path: string,
  ancestors: readonly object[],
): Fault | undefined {
  for (const key of Object.keys(value)) {
    const item = (value as Record<string, unknown>)[key];
    if (item === undefined || typeof item === "string") continue;
    const fault = faultOf(item, "", ancestors);
    if (fault !== undefined) return { ...fault, path: `${path}${step(key)}${fault.path}` };
  }
  const enumerable = new Set<string | symbol>(Object.keys(value));
  const lost = Reflect.ownKeys(value).find((key) => !enumerable.has(key));
  if (lost === undefined) return undefined;
  const kind = typeof lost === "symbol" ? "has a symbol for a key" : "is a hidden property";
  return { path: `${path}${step(lost)}`, reason: `${kind}, which JSON drops.` };
}

function step(key: string | symbol): string {
  if (typeof key === "symbol") return `[${escapeControls(String(key))}]`;
  return /^[A-Za-z_$][\w$]*$/.test(key) ? `.${key}` : `[${escapeControls(JSON.stringify(key))}]`;
}
