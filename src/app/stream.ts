import { Html } from "./html.ts";
import type { Chunks } from "./live-body.ts";
import { LiveBody } from "./live-body.ts";

const encoder = new TextEncoder();

/** Whether a page's value is a generator, sync or async. */
export function isGenerator(value: object): value is Chunks<unknown> {
  const { [Symbol.toStringTag]: tag } = value as { [Symbol.toStringTag]?: unknown };
  return tag === "Generator" || tag === "AsyncGenerator";
}

/** A generator's text and bytes as a body: each piece is sent before the generator continues. */
export function toTextStream(chunks: Chunks<unknown>): ReadableStream<Uint8Array> {
  return new LiveBody(chunks, { encode }).toStream();
}

function encode(chunk: unknown): Uint8Array {
  if (typeof chunk === "string") return encoder.encode(chunk);
  if (chunk instanceof Uint8Array) return chunk;
  if (chunk instanceof Html) return encoder.encode(chunk.toString());
  throw new TypeError(
    `A generator yielded ${describe(chunk)}, which cannot be sent. Yield text, html\`…\` or a Uint8Array; for JSON, JSON.stringify(value).`,
  );
}

function describe(chunk: unknown): string {
  return chunk === null ? "null" : `a value of type ${typeof chunk}`;
}
