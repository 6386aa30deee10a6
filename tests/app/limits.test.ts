import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { join } from "node:path";

import type { Socket } from "bunpie";
import { App } from "bunpie";

import { TestClient } from "../../src/testing/client.ts";
import { multipart, post } from "../support/probe.ts";
import { quiet } from "../support/quiet.ts";
import { exchange, head, readStatuses } from "../support/raw.ts";

const KIB = 1024;
const MIB = 1024 * KIB;

/** Takes whatever comes, with the limits that an app has by default. */
class Site extends App<Record<string, string>> {
  index() {
    return "read";
  }

  text = { POST: async () => (await this.request.text()).length };

  form = { POST: async () => (await this.request.form()).size };

  files = { POST: async () => (await this.request.files()).length };

  parts = {
    POST: async () => {
      const sizes: number[] = [];
      for await (const part of this.request.parts({ maxFileBytes: 1000 })) {
        sizes.push((await part.bytes()).length);
      }
      return sizes;
    },
  };

  store(size: string) {
    // `{"a":"…"}`
    this.request.session["a"] = "x".repeat(Number(size) - 8);
  }

  async ws_echo(socket: Socket) {
    for await (const message of socket) await socket.send(String(message.length));
  }

  async ws_deaf(socket: Socket) {
    await socket.accept();
    await new Promise((resolve) => socket.signal.addEventListener("abort", resolve));
  }
}

/** Has room for uploads, so that other limits show. */
class Uploads extends Site {
  constructor() {
    super({ maxUploadBytes: 4 * MIB });
  }
}

let port: number;
let client: TestClient;
let uploader: TestClient;

async function status(path: string, init: RequestInit, asked = client): Promise<number> {
  const response = await asked.send(path, init);
  await response.body?.cancel();
  return response.status;
}

async function raw(text: string): Promise<number | undefined> {
  return readStatuses(await exchange(port, text))[0];
}

/** A request whose head is so long. */
function longHead(size: number): string {
  const rest = head("GET /? HTTP/1.1").length;
  return head(`GET /?${"x".repeat(size - rest)} HTTP/1.1`);
}

function manyFields(count: number): string {
  const fields = Array.from({ length: count - 2 }, (_, index) => [`x-${index}`, "1"]);
  return head("GET / HTTP/1.1", Object.fromEntries(fields));
}

const file = (size: number): string => `name="f"; filename="a.txt"\r\n\r\n${"x".repeat(size)}`;
const field = (size: number): string => `name="a"\r\n\r\n${"x".repeat(size)}`;
const repeated = (part: string, count: number): RequestInit =>
  multipart(...Array<string>(count).fill(part));

/** An upload of one file whose body, all together, is so long. */
function upload(size: number): RequestInit {
  const rest = multipart(file(0)).body as string;
  return multipart(file(size - rest.length));
}

/** The code that a socket is closed with when all this is sent; 1000 if it can be closed as usual. */
async function code(path: string, messages: readonly (string | Uint8Array)[]): Promise<number> {
  const socket = await client.socket(path);
  for (const message of messages) socket.send(message);
  if (path === "/echo") await socket.receive().catch(() => undefined);
  return (await socket.close()).code;
}

type Row = readonly [
  what: string,
  /** What comes at the limit, and beyond it. */
  codes: readonly [number, number],
  ask: (isBeyond: boolean) => Promise<number | undefined>,
];

/** As in docs/security.md, whose first column has these names and whose last has these codes. */
const ROWS: readonly Row[] = [
  [
    "the head of a request, its URL included",
    [200, 431],
    (more) => raw(longHead(16 * KIB + Number(more))),
  ],
  ["header fields", [200, 431], (more) => raw(manyFields(198 + Number(more)))],
  [
    "a body for `form`, `json`, `text`, `bytes`",
    [200, 413],
    (more) => status("/text", post("x".repeat(MIB + Number(more)))),
  ],
  [
    "a body for `files`, `parts`",
    [200, 413],
    (more) => status("/files", upload(MIB + Number(more))),
  ],
  [
    "all files together, in `files`",
    [200, 413],
    (more) => status("/files", multipart(file(MIB - 1), file(1 + Number(more))), uploader),
  ],
  [
    "one file, in `parts`",
    [200, 413],
    (more) => status("/parts", multipart(file(1000 + Number(more)))),
  ],
  [
    "the number of files",
    [200, 413],
    (more) => status("/files", repeated(file(1), 20 + Number(more))),
  ],
  [
    "the number of fields or parts, files included",
    [200, 413],
    (more) => status("/form", post("a&".repeat(999 + Number(more)) + "a")),
  ],
  [
    "all text fields together, beside files",
    [200, 413],
    (more) => status("/files", multipart(field(MIB - 1), field(1 + Number(more))), uploader),
  ],
  [
    "the contents of a session",
    [204, 500],
    (more) => status(`/store/${32 * KIB + Number(more)}`, {}),
  ],
  [
    "a message on a socket",
    [1000, 1009],
    (more) => code("/echo", ["x".repeat(64 * KIB + Number(more))]),
  ],
  [
    "messages that a socket's page does not read",
    [1000, 1013],
    (more) => code("/deaf", Array<string>(63 + Number(more)).fill("x")),
  ],
];

describe("by default", () => {
  const servers: App[] = [];

  beforeAll(() => {
    using _info = quiet("info");
    const [app, uploads] = [new Site(), new Uploads()];
    const server = app.listen(0);
    port = Number(server.port);
    client = new TestClient(server.url);
    uploader = new TestClient(uploads.listen(0).url);
    servers.push(app, uploads);
  });

  afterAll(async () => {
    await Promise.all(servers.map((app) => app.close()));
  });

  test.each(ROWS)("there is a limit to %s", async (_, [within, beyond], ask) => {
    using _error = quiet("error");
    expect([await ask(false), await ask(true)]).toEqual([within, beyond]);
  });

  test("there is a limit to the size of messages that a page does not read", async () => {
    expect(await code("/deaf", Array<string>(4).fill("x".repeat(64 * KIB)))).toBe(1013);
  });

  test("the limits in docs/security.md are the actual ones", async () => {
    const text = await Bun.file(join(import.meta.dir, "../../docs/security.md")).text();
    const rows = /## Limits\n\n(?:[^|\n].*\n)*\n?((?:\|.*\n)+)/.exec(text)?.[1] ?? "";
    const codes = rows.split("\n").flatMap((row) => {
      const [, what = "", , beyond = ""] = row.split("|").map((cell) => cell.trim());
      const [found] = /\b\d{3,4}\b/.exec(beyond) ?? [];
      return found === undefined ? [] : [[what, Number(found)]];
    });
    expect(codes).toEqual(ROWS.map(([what, [, beyond]]) => [what, beyond]));
  });
});
