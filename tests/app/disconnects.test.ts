import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { readdirSync, readFileSync } from "node:fs";
import type { Socket } from "node:net";
import { connect } from "node:net";

import { TestClient } from "../../src/testing/client.ts";
import { Connection } from "../support/connection.ts";
import { ServedApp } from "../support/processes/served-app.ts";
import { handshake, head } from "../support/raw.ts";
import { testLong } from "../support/trials.ts";

const FILE = '--edge\r\nContent-Disposition: form-data; name="f"; filename="a.txt"\r\n\r\nabc';
const UPLOAD = {
  "content-type": "multipart/form-data; boundary=edge",
  "content-length": "60000",
};

/** In the middle of what a client may leave: the request, what the app tells once it has begun, and at the end. */
const MIDDLES: readonly (readonly [what: string, request: string, begun: string, ended: string])[] =
  [
    ["a page that waits", head("GET /patient HTTP/1.1"), "patient", "patient left"],
    ["an upload", head("POST /parts HTTP/1.1", UPLOAD) + FILE, "part", "parts ended"],
    ["a stream", head("GET /endless HTTP/1.1"), "chunk", "stream ended"],
    ["an event stream", head("GET /events HTTP/1.1"), "event", "events ended"],
    ["a socket", handshake("/echo/tea"), "socket", "socket ended"],
    ["a socket that sends", handshake("/flood"), "sent", "flood ended"],
    ["a socket that reads nothing", handshake("/deaf"), "deaf", "deaf ended"],
  ];

/** How a client may leave. */
const LEAVINGS: readonly (readonly [how: string, leave: (socket: Socket) => void])[] = [
  ["says goodbye", (socket) => void socket.end()],
  ["disappears", (socket) => void socket.destroy()],
  ["resets the connection", (socket) => void socket.resetAndDestroy()],
];

let child: ServedApp;
let url: URL;
let client: TestClient;

beforeAll(async () => {
  child = new ServedApp("everything-default-export.ts", { env: { NODE_ENV: "production" } });
  url = await child.url();
  client = new TestClient(url);
  // Whatever a process loads once is loaded now.
  for (const [, request, begun, ended] of MIDDLES) {
    const socket = await send(request);
    await child.message(begun);
    socket.destroy();
    await child.message(ended);
  }
});

afterAll(async () => {
  await child[Symbol.asyncDispose]();
});

async function send(request: string): Promise<Socket> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const socket = connect(Number(url.port), "localhost", resolve);
  socket.on("error", () => socket.destroy());
  socket.resume();
  await promise;
  socket.write(request);
  return socket;
}

/** How many files and sockets the app has open. */
function openFiles(): number {
  return readdirSync(`/proc/${child.process.pid}/fd`).length;
}

/** The app's memory, in MiB. */
function memory(): number {
  const status = readFileSync(`/proc/${child.process.pid}/status`, "utf8");
  return Number(/VmRSS:\s+(\d+)/.exec(status)?.[1]) / 1024;
}

/** It serves on, has closed what was open, and has nothing to complain about. */
async function expectNothingLeft(before: number): Promise<void> {
  expect(await client.text("/greet/Ann", { headers: { connection: "close" } })).toBe("Hello, Ann");
  while (openFiles() > before) await Bun.sleep(1);
  expect(child.errors).toBe("");
}

describe.skipIf(process.platform !== "linux")("a client that disconnects", () => {
  describe.each(LEAVINGS)("and %s", (_, leave) => {
    test.each(MIDDLES)("during %s leaves nothing behind", async (_what, request, begun, ended) => {
      const before = openFiles();
      const socket = await send(request);
      await child.message(begun);
      leave(socket);
      await child.message(ended);
      await expectNothingLeft(before);
      socket.destroy();
    });
  });

  testLong("or does not read grows no memory", async () => {
    const READERS = 20;
    const before = openFiles();
    const opened = memory();
    const readers: Connection[] = [];
    for (const path of ["/endless", "/flood"]) {
      for (let count = 0; count < READERS; count++) {
        const reader = await Connection.open(Number(url.port));
        reader.pause();
        reader.send(path === "/flood" ? handshake(path) : head(`GET ${path} HTTP/1.1`));
        readers.push(reader);
      }
    }
    // Each turn would send another 64 KiB to each, if anybody did.
    for (let turn = 0; turn < 500; turn++) await client.text("/greet/Ann");
    expect(memory() - opened).toBeLessThan(128);
    for (const reader of readers) reader.close();
    await expectNothingLeft(before);
  });
});
