import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";

import type { HttpError } from "./errors.ts";
import type { Visit } from "./visit.ts";

/** The part of youch that is used here. */
interface Youch {
  readonly metadata: { group(name: string, sections: Record<string, readonly Row[]>): unknown };
  useTransformer(transform: (error: { frames: readonly Frame[] }) => void): unknown;
  toHTML(error: Error, options: { readonly title: string }): Promise<string>;
}

interface Row {
  readonly key: string;
  readonly value: string;
}

interface Frame {
  functionName?: string | undefined;
  fileName?: string | undefined;
}

/** How many similar patterns are shown. */
const MAX_NEAR = 5;

/** How many nested causes are shown. */
const MAX_CAUSES = 8;

/**
 * A page that shows developers a bug: message, source, stack, route, and the keys of the session.
 *
 * @throws Error if youch is not installed.
 */
export async function showBug(error: HttpError, visit: Visit): Promise<Response> {
  const { Youch } = (await load("youch")) as { readonly Youch: new () => Youch };
  const youch = new Youch();
  youch.useTransformer(cleanFrames);
  const { open, match, raw } = visit;
  const names = match?.page?.match(/(?<=\/:)\w+|\*$/g) ?? [];
  const keys = open === undefined ? [] : Object.keys(open.session);
  youch.metadata.group("Request", {
    Route: [
      { key: "Page", value: `${raw.method} ${match?.page ?? "none"}` },
      { key: "Parameters", value: names.join(", ") || "none" },
    ],
    Session: [{ key: "Keys", value: keys.join(", ") || "none" }],
  });
  const page = await youch.toHTML(copyError(error.cause), { title: `Error ${error.status}` });
  return new Response(page, {
    status: error.status,
    headers: { ...error.headers, "content-type": "text/html;charset=utf-8" },
  });
}

/** youch fails on a frame without a file, and does not escape quotes in attributes. */
function cleanFrames(error: { frames: readonly Frame[] }): void {
  error.frames = error.frames.filter(({ fileName }) => fileName !== undefined);
  for (const frame of error.frames) {
    frame.functionName = frame.functionName?.replaceAll('"', "'");
    frame.fileName = frame.fileName?.replaceAll('"', "'");
  }
}

/**
 * The patterns most similar to a path that matches none, by edit distance.
 *
 * @throws Error if leven is not installed.
 */
export async function findNear(path: string, patterns: readonly string[]): Promise<string[]> {
  const { default: leven } = (await load("leven")) as {
    readonly default: (one: string, other: string) => number;
  };
  return patterns
    .map((pattern) => ({ pattern, distance: leven(path, fill(pattern, path)) }))
    .filter(({ pattern, distance }) => distance <= Math.max(2, pattern.length / 2))
    .toSorted((one, other) => one.distance - other.distance)
    .slice(0, MAX_NEAR)
    .map(({ pattern }) => pattern);
}

/**
 * Loads a package only if it is installed: without `node_modules`, Bun would download it. Its name
 * is hidden from bundlers: production does not need it, and youch reads files of its own.
 *
 * @throws Error if it is not installed.
 */
export async function load(name: string): Promise<unknown> {
  const folders = createRequire(import.meta.url).resolve.paths(name) ?? [];
  if (folders.some((folder) => existsSync(join(folder, name)))) return import(name);
  throw new Error(`${name} is not installed.`);
}

/**
 * A pattern with the path's segments in place of its parameters, so that they do not count as
 * differences.
 */
function fill(pattern: string, path: string): string {
  const segments = path.split("/");
  return pattern
    .split("/")
    .map((text, index) => {
      if (text === "*") return segments.slice(index).join("/");
      return text.startsWith(":") ? (segments[index] ?? "") : text;
    })
    .join("/");
}

/**
 * A copy with only the error's name, message, stack and cause: youch shows every property that it
 * finds, such as a request's headers.
 */
function copyError(thrown: unknown, depth = 0): Error {
  if (!(thrown instanceof Error)) {
    const what = typeof thrown === "object" && thrown !== null ? "an object" : String(thrown);
    const copy = new Error(`This was thrown and is not an Error: ${what}`);
    copy.stack = "Error";
    return copy;
  }
  const { name, message, stack = "" } = thrown;
  const inner = thrown.cause ?? (thrown instanceof AggregateError ? thrown.errors[0] : undefined);
  const cause =
    inner === undefined || depth === MAX_CAUSES ? {} : { cause: copyError(inner, depth + 1) };
  const copy = new Error(message, cause);
  copy.name = name;
  copy.stack = `Error${takeFrames(stack, message)}`;
  return copy;
}

/**
 * The frames of a stack, without the message above them: a visitor's text in the message could pass
 * for frames, whose files would be read and shown.
 */
function takeFrames(stack: string, message: string): string {
  const start = stack.indexOf(`${message}\n`);
  return start === -1 || stack.slice(0, start).includes("\n")
    ? ""
    : stack.slice(start + message.length);
}
