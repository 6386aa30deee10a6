import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";

import { RedisSessionBackend } from "../../../src/backends/redis/backend.ts";
import type { RedisTls } from "../../../src/backends/redis/tls.ts";
import { makeRecord } from "../../../src/testing/records.ts";
import { freePort } from "../../support/processes/free-port.ts";
import { hasRedisServer, RedisServer } from "../../support/servers/redis-server.ts";
import { Authority, canCertify } from "./certificates.ts";

const REPLY_TIMEOUT = 750;
/** What a busy machine may add, in milliseconds. */
const SLACK = 1_000;

async function tryToKeep(url: string, tls?: RedisTls): Promise<string> {
  const options = { replyTimeout: REPLY_TIMEOUT, ...(tls && { tls }) };
  const backend = new RedisSessionBackend(url, options);
  const begun = performance.now();
  const answer = await backend.create("id", makeRecord()).then(String, String);
  await backend.close();
  expect(performance.now() - begun).toBeLessThan(REPLY_TIMEOUT + SLACK);
  return answer;
}

function read(file: string): string {
  return readFileSync(file, "utf8");
}

describe.skipIf(!hasRedisServer || !canCertify)("RedisSessionBackend over TLS", () => {
  let authority: Authority;
  let other: Authority;
  let servers: RedisServer[];
  /** Ports: of a server, of one that asks for a client's certificate, of one whose own has expired. */
  let usual: number;
  let strict: number;
  let expired: number;

  beforeAll(async () => {
    [authority, other, servers] = [new Authority(), new Authority(), []];
    [usual, strict, expired] = await Promise.all([start("no"), start("yes"), start("no", -1)]);
  });
  afterAll(async () => {
    for (const server of servers) await server[Symbol.asyncDispose]();
    authority[Symbol.dispose]();
    other[Symbol.dispose]();
  });

  async function start(asksForCertificates: string, days?: number): Promise<number> {
    const port = await freePort();
    const { cert, key } = authority.sign("localhost", days);
    const settings = {
      "tls-port": String(port),
      "tls-auth-clients": asksForCertificates,
      "tls-cert-file": cert,
      "tls-key-file": key,
      "tls-ca-cert-file": authority.file,
    };
    const args = Object.entries(settings).flatMap(([name, value]) => [`--${name}`, value]);
    servers.push(await RedisServer.start(...args));
    return port;
  }

  const ca = (): string => read(authority.file);
  const client = (by: Authority): RedisTls => {
    const { cert, key } = by.sign("client");
    return { ca: ca(), cert: read(cert), key: read(key) };
  };

  test("keeps sessions on a server with the certificate of a private authority", async () => {
    const backend = new RedisSessionBackend(`rediss://localhost:${usual}`, { tls: { ca: ca() } });
    await backend.ready();
    const record = makeRecord({ userId: "Ann" });
    expect(await backend.create("kept", record)).toBe(true);
    expect(await backend.read("kept")).toEqual(record);
    await backend.close();
  });

  test("accepts a bundle of authorities, as text or as bytes", async () => {
    const bundle = read(other.file) + ca();
    for (const each of [bundle, new TextEncoder().encode(bundle)]) {
      expect(await tryToKeep(`rediss://localhost:${usual}`, { ca: each })).toBeOneOf([
        "true",
        "false",
      ]);
    }
  });

  test("accepts another name that the certificate is for", async () => {
    const tls = { ca: ca(), serverName: "localhost" };
    expect(await tryToKeep(`rediss://127.0.0.1:${usual}`, tls)).toMatch(/^(true|false)$/);
  });

  test("shows its own certificate to a server that asks for it", async () => {
    const url = `rediss://localhost:${strict}`;
    expect(await tryToKeep(url, client(authority))).toBe("true");
    expect(await tryToKeep(url, { ca: ca() })).toEndWith(
      "cannot be reached: it asks for a client certificate. Pass one: `tls: { cert, key }`.",
    );
    expect(await tryToKeep(url, client(other))).toEndWith(
      "cannot be reached: it refuses the client certificate. Have it signed by an authority that the " +
        "server trusts.",
    );
  });

  test.each<[string, () => RedisTls | undefined]>([
    ["no authority", () => undefined],
    ["another authority", () => ({ ca: read(other.file) })],
  ])(
    "refuses a server whose certificate is unknown to %s, and names the remedy",
    async (_, tls) => {
      expect(await tryToKeep(`rediss://localhost:${usual}`, tls())).toBe(
        `Error: Redis at localhost:${usual} cannot be reached: its certificate is not signed by a trusted ` +
          "authority. Pass the authority's certificate: " +
          '`tls: { ca: await Bun.file("ca.pem").text() }`.',
      );
    },
  );

  test("refuses a certificate for another host, and names the remedy", async () => {
    expect(await tryToKeep(`rediss://127.0.0.1:${usual}`, { ca: ca() })).toBe(
      `Error: Redis at 127.0.0.1:${usual} cannot be reached: its certificate is for another name. Use that name ` +
        "in the URL, or pass it: `tls: { serverName }`.",
    );
  });

  test("refuses a certificate that has expired", async () => {
    expect(await tryToKeep(`rediss://localhost:${expired}`, { ca: ca() })).toContain(
      "certificate has expired",
    );
  });

  test("does not hang if only one side speaks TLS", async () => {
    expect(await tryToKeep(`redis://localhost:${usual}`)).toEndWith(
      "it closes the connection at once. If it requires TLS, begin the URL with rediss://.",
    );
    const plain = servers[0]?.port;
    expect(await tryToKeep(`rediss://localhost:${plain}`)).toEndWith(
      "it does not answer in time. If it does not use TLS, begin the URL with redis://.",
    );
  });

  test("refuses invalid options, and says what they must be", () => {
    const { cert, key } = authority.sign("localhost");
    const url = "rediss://localhost";
    const PEM = '`ca`, `cert` and `key` have to be PEM, such as `await Bun.file("ca.pem").text()`.';
    for (const [source, tls, message] of [
      [
        "redis://localhost",
        {},
        "`tls` requires a URL that begins with rediss://. Correct the URL, or leave out `tls`.",
      ],
      [url, true, "`tls` is true; it has to be an object such as"],
      [url, null, "`tls` is null; it has to be an object such as"],
      [url, { rejectUnauthorised: false }, "`tls` has no option `rejectUnauthorised`."],
      [url, { ca: "ca.pem" }, PEM],
      [url, { ca: 5 }, PEM],
      [url, { cert: read(cert), key: read(authority.sign("other").key) }, PEM],
      [url, { cert: read(cert) }, "`tls` needs `cert` and `key` together: set both, or neither."],
      [url, { key: read(key) }, "`tls` needs `cert` and `key` together: set both, or neither."],
    ] as [string, RedisTls, string][]) {
      const make = (): unknown => new RedisSessionBackend(source, { tls });
      expect(make).toThrow(TypeError);
      expect(make).toThrow(message);
    }
  });
});
