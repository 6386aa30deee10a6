import { afterAll, beforeAll, describe, expect, test } from "bun:test";

import { exchange, handshake, head, readStatuses } from "../support/raw.ts";
import type { Place } from "./ways.ts";
import { WAYS } from "./ways.ts";

/** Who answers: the app, or Bun before it has asked the app; or nobody, and the connection is closed. */
type By = "the app" | "Bun" | "nobody";

/** What is sent, who answers, and how: the status and, of the app's, a part of the body. */
type Row = readonly [what: string, request: string, by: By, status?: number, body?: string];

const KEY = "sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==";
const LAST = "host: localhost\r\nconnection: close";
const UPGRADE = "host: localhost\r\nconnection: upgrade, close\r\nupgrade: websocket";
const VERSION = "sec-websocket-version: 13";

const get = (target: string): string => head(`GET ${target} HTTP/1.1`);
const lines = (...all: readonly string[]): string => [...all, "", ""].join("\r\n");
const post = (fields: string, body: string): string =>
  `${lines("POST /echo HTTP/1.1", LAST, fields)}${body}`;

const METHODS: readonly Row[] = [
  ["CONNECT to a path", head("CONNECT /greet/x HTTP/1.1"), "the app", 405, "CONNECT is not"],
  ["CONNECT to a host", head("CONNECT localhost:80 HTTP/1.1"), "the app", 405],
  ["TRACE", head("TRACE /greet/x HTTP/1.1"), "the app", 405, "TRACE is not"],
  ["PROPFIND", head("PROPFIND /greet/x HTTP/1.1"), "the app", 405],
  ["a verb in lower case", head("get /greet/x HTTP/1.1"), "nobody"],
  ["a verb that is none", head("FOO /greet/x HTTP/1.1"), "nobody"],
  ["OPTIONS of everything", head("OPTIONS * HTTP/1.1"), "Bun", 400],
  ["OPTIONS of a page", head("OPTIONS /greet/x HTTP/1.1"), "the app", 204],
  ["HTTP/0.9", "GET /greet/x\r\n\r\n", "Bun", 505],
  ["HTTP/1.0, without a host", "GET /greet/x HTTP/1.0\r\n\r\n", "the app", 200, "Hello, x"],
  ["HTTP/1.2", lines("GET /greet/x HTTP/1.2", LAST), "Bun", 505],
  ["HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "Bun", 400],
  ["TLS", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", "Bun", 400],
];

const TARGETS: readonly Row[] = [
  ["an absolute URL", get("http://localhost/greet/x"), "the app", 200, "Hello, x"],
  ["another site's absolute URL", get("http://evil.example/greet/x"), "the app", 200, "Hello, x"],
  ["a URL of no scheme", get("//greet/x"), "the app", 404],
  ["a URL of another host", get("//evil.example/greet/x"), "the app", 404],
  ["a backslash", get("/\\greet/x"), "the app", 404],
  ["dots, which Bun resolves", get("/x/../greet/x"), "the app", 200, "Hello, x"],
  ["encoded dots, which Bun resolves too", get("/x/%2e%2e/greet/x"), "the app", 200, "Hello, x"],
  ["dots in the place of a segment", get("/greet/.."), "the app", 200, "home"],
  ["dots that lead out", get("/../../../etc/passwd"), "the app", 404],
  ["an encoded slash", get("/greet/..%2f..%2fetc%2fpasswd"), "the app", 400],
  ["an encoded backslash", get("/greet/..%5cx"), "the app", 400],
  ["an encoded NUL", get("/greet/%00"), "the app", 400],
  ["NUL", get("/greet/\0"), "Bun", 505],
  ["what is no UTF-8", get("/greet/%ff"), "the app", 400],
  ["what is no encoding", get("/greet/%zz"), "the app", 400],
  ["what was encoded twice", get("/greet/%252e%252e"), "the app", 200, "Hello, %2e%2e"],
  ["a fragment", get("/greet/x#y"), "the app", 200, "Hello, x#y"],
  ["no slash", get("greet/x"), "Bun", 400],
  ["a query alone", get("?x"), "Bun", 400],
  ["a member of the app", get("/constructor"), "the app", 404],
  ["a socket's method", get("/ws_echo/tea"), "the app", 404],
  ["the prefix of a mounted app, and more", get("/apix/user/a"), "the app", 404],
  ["an empty segment", get("/api//user/a"), "the app", 404],
];

const HEADS: readonly Row[] = [
  ["no host", "GET /greet/x HTTP/1.1\r\nconnection: close\r\n\r\n", "Bun", 400],
  [
    "a host that makes no URL",
    head("GET /greet/x HTTP/1.1", { host: "a b" }),
    "the app",
    200,
    "Hello, x",
  ],
  ["a host with a path", head("GET /bug HTTP/1.1", { host: "x/greet/x?" }), "the app", 500],
  [
    "a login page for a host that makes no URL",
    head("GET /members HTTP/1.1", { host: "a b", accept: "text/html" }),
    "the app",
    303,
  ],
  [
    "a way back for a host that makes no URL",
    head("GET /back HTTP/1.1", { host: "a b", referer: "http://a b/x" }),
    "the app",
    303,
  ],
  ["two hosts", lines("GET /greet/x HTTP/1.1", LAST, "host: b"), "the app", 200, "Hello, x"],
  ["a header of 17 KiB", head("GET / HTTP/1.1", { x: "y".repeat(17 * 1024) }), "Bun", 431],
  ["NUL in a header", head("GET / HTTP/1.1", { x: "a\0b" }), "Bun", 400],
  ["a blank in a header's name", head("GET / HTTP/1.1", { "x y": "a" }), "Bun", 400],
  ["a folded header", lines("GET / HTTP/1.1", LAST, "x: a", " b"), "Bun", 400],
  ["bytes above 127", head("GET /greet/x HTTP/1.1", { x: "\xff" }), "the app", 200],
  ["bare line feeds", "GET / HTTP/1.1\nhost: localhost\n\n", "Bun", 505],
  ["an empty line first", `\r\n\r\n${get("/")}`, "Bun", 400],
];

const BODIES: readonly Row[] = [
  ["two lengths", post("content-length: 3\r\ncontent-length: 2", "abc"), "Bun", 400],
  [
    "one length twice",
    post("content-length: 3\r\ncontent-length: 3", "abc"),
    "the app",
    200,
    "abc",
  ],
  [
    "a length and chunks",
    post("content-length: 3\r\ntransfer-encoding: chunked", "3\r\nabc\r\n0\r\n\r\n"),
    "Bun",
    400,
  ],
  ["chunks", post("transfer-encoding: chunked", "3\r\nabc\r\n0\r\n\r\n"), "the app", 200, "abc"],
  [
    "a chunk that is none",
    post("transfer-encoding: chunked", "zz\r\nabc\r\n0\r\n\r\n"),
    "Bun",
    400,
  ],
  ["chunks in gzip", post("transfer-encoding: gzip, chunked", "3\r\nabc\r\n0\r\n\r\n"), "Bun", 400],
  ["a length above every limit", post("content-length: 99999999", ""), "Bun", 413],
  [
    "a length above the page's limit",
    post("content-length: 5000", "x".repeat(5000)),
    "the app",
    413,
  ],
  [
    "an expectation that is none",
    post("expect: x\r\ncontent-length: 3", "abc"),
    "the app",
    200,
    "abc",
  ],
  [
    "a body to a page that reads none",
    `${lines("GET /greet/x HTTP/1.1", LAST, "content-length: 3")}abc`,
    "the app",
    200,
    "Hello, x",
  ],
];

const HANDSHAKES: readonly Row[] = [
  [
    "by POST, where there is a page",
    `${lines("POST /echo HTTP/1.1", UPGRADE, VERSION, KEY, "content-length: 3")}abc`,
    "the app",
    200,
    "abc",
  ],
  [
    "by POST, where there is a socket",
    lines("POST /echo/tea HTTP/1.1", UPGRADE, VERSION, KEY, "content-length: 0"),
    "the app",
    426,
  ],
  ["by HEAD", lines("HEAD /echo/tea HTTP/1.1", UPGRADE, VERSION, KEY), "the app", 426],
  ["without a key", lines("GET /echo/tea HTTP/1.1", UPGRADE, VERSION), "the app", 400],
  [
    "with a key that is none",
    lines("GET /echo/tea HTTP/1.1", UPGRADE, VERSION, "sec-websocket-key: x"),
    "the app",
    400,
  ],
  [
    "without saying to what",
    lines("GET /echo/tea HTTP/1.1", "host: localhost", "connection: upgrade, close"),
    "the app",
    426,
  ],
  [
    "of an old version",
    lines("GET /echo/tea HTTP/1.1", UPGRADE, "sec-websocket-version: 8", KEY),
    "Bun",
    426,
  ],
  ["to something else", head("GET /greet/x HTTP/1.1", { upgrade: "h2c" }), "the app", 200, "Hello"],
  ["at a page", handshake("/greet/x"), "the app", 200],
  ["nowhere", handshake("/none"), "the app", 404],
  ["below dots", handshake("/echo/..%2ftea"), "the app", 400],
];

const GROUPS = [
  ["a request line", METHODS],
  ["a target", TARGETS],
  ["a head", HEADS],
  ["a body", BODIES],
  ["a handshake", HANDSHAKES],
] as const;

/** Only the app says this, and on every response. */
const OURS = /^x-content-type-options: nosniff\r$/im;

function toCase([what, request, by, status, body = ""]: Row) {
  return { what, request, by, statuses: status === undefined ? [] : [status], body };
}

describe.each(WAYS.filter(({ isWhole }) => isWhole))("an app, $name, given", ({ serve }) => {
  let place: Place;

  beforeAll(async () => {
    place = await serve();
  });

  describe.each(GROUPS)("%s with", (_, rows) => {
    test.each(rows.map(toCase))("$what: $by answers", async ({ request, by, statuses, body }) => {
      const answer = await exchange(place.port ?? 0, Buffer.from(request, "latin1"));
      expect(readStatuses(answer)).toEqual(statuses);
      expect(OURS.test(answer)).toBe(by === "the app");
      expect(answer).toContain(body);
    });
  });

  afterAll(async () => {
    expect(await place.client().text("/greet/Ann")).toBe("Hello, Ann");
    await place.stop();
  });
});
