import { parseData } from "../store/record.ts";
import { SessionDataError } from "./errors.ts";
import { escapeControls } from "./log.ts";

/**
 * Deeper than any sensible session, and far below the depth at which recursion overflows the stack.
 */
const MAX_DEPTH = 200;

interface Fault {
  readonly path: string;
  readonly reason: string;
}

/**
 * The JSON text of a dictionary. Properties that are `undefined` count as absent. Of the accepted
 * values, only `-0` does not survive: it becomes `0`.
 *
 * @throws SessionDataError with the key path of the first value that JSON would lose or change: a
 *   function, symbol, BigInt, NaN or infinite number, a hole in an array, a Date, a Map or another
 *   class instance, a cycle, a symbol as a key, a hidden property, or a named property of an array.
 */
export function encode(dictionary: object, name: string): string {
  const keys = Object.keys(dictionary);
  if (hasHiddenKeys(dictionary, keys.length)) throw toError(dictionary, name);
  // A plain copy, because Bun takes twice as long for an object with another prototype.
  const copy: Record<string, unknown> = {};
  let hasProto = false;
  for (const key of keys) {
    const item = (dictionary as Record<string, unknown>)[key];
    if (item === undefined) continue;
    if (!isPlain(item, 1)) throw toError(dictionary, name);
    if (key === "__proto__") hasProto = true;
    else copy[key] = item;
  }
  // Only spreading makes an ordinary key of __proto__.
  return JSON.stringify(hasProto ? { ...dictionary } : copy);
}

/**
 * The dictionary in a JSON text; `undefined` if the text holds none that `encode` accepts, such as
 * one with the number `1e999`, which is read as Infinity.
 */
export function decode(text: string): Record<string, unknown> | undefined {
  const value = parseData(text);
  return value !== undefined && isSound(value, 0) ? value : undefined;
}

/** A copy without a prototype, in which `__proto__` is an ordinary key. */
export function toDictionary(source: object): Record<string, unknown> {
  return Object.assign(Object.create(null), source) as Record<string, unknown>;
}

/**
 * Three-way merge of top-level keys: applies the changes from `base` to `mine` to a copy of
 * `theirs`. If both sides changed a key to different values, mine is kept, and the key is in
 * `overwritten`.
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
  const fault = findFaultInEntries(dictionary, name, [dictionary]);
  return new SessionDataError(`${fault?.path ?? name} ${fault?.reason ?? "cannot be stored."}`);
}

/** Whether a result of `JSON.parse` is storable. Infinite numbers and depth are its only faults. */
function isSound(value: unknown, depth: number): boolean {
  if (typeof value === "number") return Number.isFinite(value);
  if (typeof value !== "object" || value === null) return true;
  if (depth > MAX_DEPTH) return false;
  for (const key in value) {
    if (!isSound((value as Record<string, unknown>)[key], depth + 1)) return false;
  }
  return true;
}

/** Whether the value has symbol keys or hidden properties: more keys than `enumerable`. */
function hasHiddenKeys(value: object, enumerable: number): boolean {
  return Reflect.ownKeys(value).length !== enumerable;
}

/**
 * Whether the value survives a JSON round trip. May return `false` for a value without a fault.
 * Runs for every stored session, in half the time that finding a fault and its path takes.
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
    // An array's only other own key is `length`, which is hidden.
    if (prototype !== Array.prototype || hasHiddenKeys(value, value.length + 1)) return false;
    // Not every(), which skips holes.
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

function findFault(value: unknown, path: string, ancestors: readonly object[]): Fault | undefined {
  switch (typeof value) {
    case "string":
    case "boolean":
      return undefined;
    case "number":
      return Number.isFinite(value)
        ? undefined
        : {
            path,
            reason: `is ${value}, which JSON turns into null. Store null or a finite number instead.`,
          };
    case "object":
      return value === null ? undefined : findFaultInObject(value, path, ancestors);
    case "undefined":
      return { path, reason: "is undefined, which JSON turns into null. Store null instead." };
    default:
      return {
        path,
        reason: `is a ${typeof value}, which JSON cannot hold. Store a string, a number or a plain object instead.`,
      };
  }
}

function findFaultInObject(
  value: object,
  path: string,
  ancestors: readonly object[],
): Fault | undefined {
  if (ancestors.includes(value)) {
    return { path, reason: "contains itself, which JSON cannot hold. Remove the cycle." };
  }
  if (ancestors.length > MAX_DEPTH) {
    return { path, reason: `is nested deeper than ${MAX_DEPTH} levels. Flatten it.` };
  }
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype === Array.prototype && Array.isArray(value)) {
    return findFaultInItems(value, path, [...ancestors, value]);
  }
  if (prototype === Object.prototype || prototype === null) {
    return findFaultInEntries(value, path, [...ancestors, value]);
  }
  const kind = value.constructor?.name || "value with a prototype of its own";
  const remedy = value instanceof Date ? "date.getTime()" : "{ ...value } or an array";
  return {
    path,
    reason: `is a ${kind}, which does not survive JSON. Store a plain value instead, such as ${remedy}.`,
  };
}

function findFaultInItems(
  items: readonly unknown[],
  path: string,
  ancestors: readonly object[],
): Fault | undefined {
  for (let index = 0; index < items.length; index++) {
    const fault = findFault(items[index], "", ancestors);
    if (fault !== undefined) return { ...fault, path: `${path}[${index}]${fault.path}` };
  }
  const named = Reflect.ownKeys(items).find((key) => key !== "length" && !isIndex(key, items));
  return named === undefined
    ? undefined
    : {
        path: `${path}${formatStep(named)}`,
        reason: "is a named property of an array, which JSON drops. Use a plain object instead.",
      };
}

function isIndex(key: string | symbol, items: readonly unknown[]): boolean {
  return typeof key === "string" && String(Number(key)) === key && Number(key) < items.length;
}

function findFaultInEntries(
  value: object,
  path: string,
  ancestors: readonly object[],
): Fault | undefined {
  for (const key of Object.keys(value)) {
    const item = (value as Record<string, unknown>)[key];
    if (item === undefined || typeof item === "string") continue;
    const fault = findFault(item, "", ancestors);
    if (fault !== undefined) return { ...fault, path: `${path}${formatStep(key)}${fault.path}` };
  }
  const enumerable = new Set<string | symbol>(Object.keys(value));
  const lost = Reflect.ownKeys(value).find((key) => !enumerable.has(key));
  if (lost === undefined) return undefined;
  const kind = typeof lost === "symbol" ? "has a symbol for a key" : "is a hidden property";
  return {
    path: `${path}${formatStep(lost)}`,
    reason: `${kind}, which JSON drops. Use an ordinary property instead.`,
  };
}

/** The key as a step of a path: `.key` or `["odd key"]`. */
function formatStep(key: string | symbol): string {
  if (typeof key === "symbol") return `[${escapeControls(String(key))}]`;
  return /^[A-Za-z_$][\w$]*$/.test(key) ? `.${key}` : `[${escapeControls(JSON.stringify(key))}]`;
}
