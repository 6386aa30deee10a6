/** An event of an event stream, as a browser receives it. */
export interface TestEvent {
  /** `message`, unless the server named it. */
  readonly event: string;
  readonly data: string;
  /** The last id that the server has sent; `""` if none. */
  readonly id: string;
}

/**
 * Yields the events of a response's body, as a browser reads them (HTML, 9.2.6). Leaving the loop
 * disconnects.
 */
export async function* readEvents(
  body: ReadableStream<Uint8Array>,
): AsyncGenerator<TestEvent, void, undefined> {
  let id = "";
  for await (const block of readBlocks(body)) {
    let event = "message";
    const data: string[] = [];
    for (const line of block.split("\n")) {
      const [, field = "", value = ""] = /^([^:]*)(?:: ?(.*))?$/s.exec(line) ?? [];
      if (field === "event") event = value === "" ? "message" : value;
      if (field === "id" && !value.includes("\0")) id = value;
      if (field === "data") data.push(value);
    }
    if (data.length > 0) yield { event, data: data.join("\n"), id };
  }
}

/** Yields the blocks between empty lines. An unfinished block is not an event. */
async function* readBlocks(body: ReadableStream<Uint8Array>): AsyncGenerator<string> {
  let text = "";
  let endsInReturn = false;
  const decoder = new TextDecoder();
  for await (const chunk of body) {
    const decoded = decoder.decode(chunk, { stream: true });
    if (decoded === "") continue;
    // A CR ends its line at once; if LF follows in the next chunk, both were one line break.
    const part = endsInReturn && decoded.startsWith("\n") ? decoded.slice(1) : decoded;
    endsInReturn = decoded.endsWith("\r");
    text += part.replaceAll(/\r\n?/g, "\n");
    const blocks = text.split("\n\n");
    text = blocks.pop() ?? "";
    yield* blocks;
  }
}
