import { describe, expect, test } from "bun:test";

import { explainFailure } from "../../../src/backends/redis/diagnosis.ts";
import { Folder } from "../../support/folder.ts";
import { freePort } from "../../support/processes/free-port.ts";

/** For tests in which the answer comes by itself. */
const LONG = 60_000;

/** What is found out about a server that says `words` to whoever says something to it. */
async function explain(
  words: string | undefined,
  url = (port: number) => `redis://localhost:${port}`,
): Promise<string> {
  const { promise: heard, resolve } = Promise.withResolvers<string>();
  using server = Bun.listen({
    hostname: "localhost",
    port: 0,
    socket: {
      data(socket, bytes) {
        resolve(bytes.toString());
        socket.end(words);
      },
    },
  });
  const found = await explainFailure(url(server.port), {}, LONG);
  said = await heard;
  return found;
}
let said = "";

describe("the diagnosis of a server that cannot be reached", () => {
  test("says that nothing listens there", async () => {
    const port = await freePort();
    using folder = new Folder();
    for (const url of [
      `redis://127.0.0.1:${port}`,
      `redis://[::1]:${port}`,
      `rediss://127.0.0.1:${port}`,
      `redis+unix://${folder.file("no.sock")}`,
    ]) {
      expect(await explainFailure(url, {}, LONG)).toBe(
        "nothing listens there. Start the server, or correct the URL.",
      );
    }
  });

  test("says that its host name is unknown", async () => {
    expect(await explainFailure("redis://bunpie.invalid", {}, LONG)).toBe(
      "its host name is unknown. Correct the URL.",
    );
  });

  test("says that it expects another password", async () => {
    const login = "user%40:p%C3%A4ss@";
    const url = `redis://${login}localhost:`;
    expect(await explain("-WRONGPASS invalid.\r\n", (port) => url + port)).toBe(
      "it does not accept the URL's user name and password (WRONGPASS invalid.). Correct the URL.",
    );
    expect(said).toBe(
      "*5\r\n$5\r\nHELLO\r\n$1\r\n3\r\n$4\r\nAUTH\r\n$5\r\nuser@\r\n$5\r\npäss\r\n",
    );
    await explain("-NOAUTH\r\n", (port) => `redis://:secret@localhost:${port}`);
    expect(said).toContain("$7\r\ndefault\r\n$6\r\nsecret\r\n");
  });

  test.each([
    ["returns an unknown error", "redis", "-ERR max clients\r\n", "it says: ERR max clients"],
    ["returns a long error", "redis", `-${"x".repeat(1_000)}\r\n`, `it says: ${"x".repeat(120)}`],
    [
      "closes the connection at once",
      "redis",
      undefined,
      "it closes the connection at once. If it requires TLS, begin the URL with rediss://.",
    ],
    [
      "closes the connection in a TLS handshake",
      "rediss",
      undefined,
      "it closes the connection at once. If it does not use TLS, begin the URL with redis://.",
    ],
    [
      "answers a TLS handshake with something else",
      "rediss",
      "-ERR what?\r\n",
      "it does not use TLS. Begin the URL with redis://.",
    ],
    [
      "is back already",
      "redis",
      "%7\r\n$6\r\nserver\r\n",
      "the connection was closed. The next request tries again.",
    ],
  ])("says what is wrong with a server that %s", async (_, scheme, words, found) => {
    expect(await explain(words, (port) => `${scheme}://localhost:${port}`)).toBe(found);
    if (scheme === "redis") expect(said).toBe("*2\r\n$5\r\nHELLO\r\n$1\r\n3\r\n");
  });

  test("says that it does not answer in time, or that no time is left", async () => {
    using server = Bun.listen({
      hostname: "localhost",
      port: 0,
      socket: { data: () => undefined },
    });
    for (const timeout of [20, 0, -5]) {
      expect(await explainFailure(`redis://localhost:${server.port}`, {}, timeout)).toBe(
        "it does not answer in time.",
      );
    }
    expect(await explainFailure(`rediss://localhost:${server.port}`, {}, 20)).toBe(
      "it does not answer in time. If it does not use TLS, begin the URL with redis://.",
    );
  });
});
