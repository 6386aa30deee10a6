import { parseData } from "../store/backend.ts";
import { SessionDataError } from "./errors.ts";
import { escapeControls } from "./log.ts";

/** Deeper than any sensible session, and far from where a recursion would run out of stack. */
const MAX_DEPTH = 200;

interface Fault {
  readonly path: string;
  readonly reason: string;
}

/**
 * The JSON text of a dictionary.
 *
 * @throws SessionDataError naming the key path of the first value that JSON would lose or change:
 *   a function, a symbol, a BigInt, NaN, a hole in an array, a Date, Map or any other class
 *   instance, a cycle. A property that is `undefined` counts as absent.
 */
export function encode(dictionary: object, name: string): string {
  const fault = findFault(dictionary, name);
  if (fault !== undefined) throw new SessionDataError(`${fault.path} ${fault.reason}`);
  // Of a plain copy: Bun takes twice as long for an object with a prototype of its own.
  return JSON.stringify({ ...dictionary });
}

/**
 * The dictionary in a JSON text, or `undefined` when the text holds none that `encode` would take:
 * `1e999` is a number in JSON, and Infinity once it is read.
 */
export function decode(text: string): Record<string, unknown> | undefined {
  const value = parseData(text);
  return value !== undefined && findFault(value, "") === undefined ? value : undefined;
}

/**
 * A copy without a prototype: to it, `__proto__` is a key like any other.
 */
export function dictionaryOf(source: object): Record<string, unknown> {
  return Object.assign(Object.create(null), source) as Record<string, unknown>;
}

/**
 * Three-way merge of top-level keys: what changed from `base` to `mine` is applied to `theirs`.
 * Where both changed one key, mine is kept. All three stay as they are.
 */
export function merge(base: object, mine: object, theirs: object): Record<string, unknown> {
  const before = dictionaryOf(base);
  const after = dictionaryOf(mine);
  const merged = dictionaryOf(theirs);
  for (const key of Object.keys(before)) {
    if (after[key] === undefined) delete merged[key];
  }
  for (const key of Object.keys(after)) {
    if (JSON.stringify(after[key]) !== JSON.stringify(before[key])) merged[key] = after[key];
  }
  return merged;
}

function findFault(dictionary: object, name: string): Fault | undefined {
  for (const key of Object.keys(dictionary)) {
    const item = (dictionary as Record<string, unknown>)[key];
    if (item === undefined || isPlain(item, 1)) continue;
    return faultOfEntries(dictionary, name, [dictionary]);
  }
  return undefined;
}

/**
 * Whether JSON gives the value back as it is. It is asked of every session twice, and takes half the
 * time that it takes to look for a fault and its path. May say no where there is none.
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
  if (Array.isArray(value)) {
    // Not every(), which leaves holes out.
    for (let index = 0; index < value.length; index++) {
      if (!isPlain(value[index], depth)) return false;
    }
    return true;
  }
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype !== Object.prototype && prototype !== null) return false;
  for (const key in value) {
    const item = (value as Record<string, unknown>)[key];
    if (item !== undefined && !isPlain(item, depth)) return false;
  }
  return true;
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
  if (Array.isArray(value)) return faultOfItems(value, path, [...ancestors, value]);
  const prototype: unknown = Object.getPrototypeOf(value);
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
  return undefined;
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
  return undefined;
}

function step(key: string): string {
  return /^[A-Za-z_$][\w$]*$/.test(key) ? `.${key}` : `[${escapeControls(JSON.stringify(key))}]`;
}
