import { describe, expect } from "bun:test";
import { connect } from "node:net";

import { App } from "../../src/app/app.ts";
import { quiet } from "../support/quiet.ts";
import { serve } from "../support/serve.ts";
import { guarantee } from "./figure.ts";

/** What a proxy that reads a request in another way would let through, as part of that request. */
const HIDDEN = "GET /hidden HTTP/1.1\r\nHost: localhost\r\n\r\n";
const END = "0\r\n\r\n";
const CHUNKED = "Transfer-Encoding: chunked";

/** A request with these header fields, and what follows it on the connection. */
function post(fields: readonly string[], rest: string): string {
  return ["POST /seen HTTP/1.1", "Host: localhost", ...fields, "", rest].join("\r\n");
}

const length = (text: string): string => `Content-Length: ${text.length}`;

/**
 * Requests that say in two ways where they end, or in one that is no way, with another one inside. Who
 * answers that one too answers it to somebody else, with their session or without.
 */
const SMUGGLED: Readonly<Record<string, string>> = {
  "a length and chunks": post([length(END + HIDDEN), CHUNKED], END + HIDDEN),
  "chunks and a length": post(
    [CHUNKED, "Content-Length: 4"],
    `${HIDDEN.length.toString(16)}\r\n${HIDDEN}\r\n${END}`,
  ),
  "two lengths, the first 0": post(["Content-Length: 0", length(HIDDEN)], HIDDEN),
  "two lengths, the last 0": post([length(HIDDEN), "Content-Length: 0"], HIDDEN),
  "two lengths in one line": post([`${length(HIDDEN)}, 0`], HIDDEN),
  "a length with a sign": post([`Content-Length: +${HIDDEN.length}`], HIDDEN),
  "a length below 0": post(["Content-Length: -1"], HIDDEN),
  "a length in base 16": post(["Content-Length: 0x10"], HIDDEN),
  "a length with a blank in it": post(["Content-Length: 1 0"], HIDDEN),
  "a length without digits": post(["Content-Length: "], HIDDEN),
  "a length that wraps around": post(["Content-Length: 18446744073709551616"], HIDDEN),
  "a length with an exponent": post(["Content-Length: 1e1"], HIDDEN),
  "a length behind a vertical tab": post(["Content-Length: \v5"], HIDDEN),
  "a length whose name ends in a blank": post([`Content-Length : ${HIDDEN.length}`], HIDDEN),
  "a length on a folded line": post([`X: a\r\n ${length(HIDDEN)}`], HIDDEN),
  "a length that was not read": `GET /seen HTTP/1.1\r\nHost: localhost\r\n${length(HIDDEN)}\r\n\r\n${HIDDEN}`,
  "a length on a page that is not there": post([length(HIDDEN)], HIDDEN).replace("seen", "none"),
  "a length above the limit": post(["Content-Length: 99999999"], HIDDEN),
  "a coding that is none": post(["Transfer-Encoding: xchunked"], END + HIDDEN),
  "chunks, and then another coding": post(["Transfer-Encoding: chunked, identity"], END + HIDDEN),
  "another coding, and then chunks": post(["Transfer-Encoding: gzip, chunked"], END + HIDDEN),
  "chunks twice": post([CHUNKED, CHUNKED], END + HIDDEN),
  "chunks and something else": post([CHUNKED, "Transfer-Encoding: x"], END + HIDDEN),
  "something else and chunks": post(["Transfer-Encoding: x", CHUNKED], END + HIDDEN),
  "chunks behind a vertical tab": post(["Transfer-Encoding: \vchunked"], END + HIDDEN),
  "chunks in quotes": post(['Transfer-Encoding: "chunked"'], END + HIDDEN),
  "chunks on a folded line": post(["Transfer-Encoding:\r\n chunked"], END + HIDDEN),
  "chunks whose name ends in a blank": post(["Transfer-Encoding : chunked"], END + HIDDEN),
  "chunks in HTTP/1.0": post([CHUNKED], END + HIDDEN).replace("HTTP/1.1", "HTTP/1.0"),
  "chunks after line feeds": post([CHUNKED], END + HIDDEN).replaceAll("\r\n", "\n"),
  "a chunk with a sign": post([CHUNKED], `+0\r\n\r\n${HIDDEN}`),
  "a chunk with a prefix": post([CHUNKED], `0x0\r\n\r\n${HIDDEN}`),
  "a chunk below 0": post([CHUNKED], `-1\r\n${HIDDEN}`),
  "a chunk that wraps around": post([CHUNKED], `10000000000000000\r\n\r\n${HIDDEN}`),
  "a chunk that wraps around 32 bits": post([CHUNKED], `100000005\r\n12345\r\n${END}${HIDDEN}`),
  "a chunk without digits": post([CHUNKED], `\r\n\r\n${HIDDEN}`),
  "a chunk that ends in line feeds": post([CHUNKED], `5\n12345\n0\n\n${HIDDEN}`),
  "a chunk longer than it says": post([CHUNKED], `5\r\n12345XX${END}${HIDDEN}`),
  "a line feed in a chunk's extension": post([CHUNKED], `5;a\nb\r\n12345\r\n${END}${HIDDEN}`),
  "a trailer of two characters": post([CHUNKED], `0\r\nX:${HIDDEN}`),
  "a trailer": post([CHUNKED], `0\r\n${HIDDEN}`),
  "a field without a colon": post(["GET /hidden HTTP/1.1"], ""),
  "a field with a bare line feed": post([`X: a\n\n${HIDDEN}`], ""),
  "a field with a bare carriage return": post([`X: a\r\r${HIDDEN}`], ""),
  "an upgrade": post(["Upgrade: h2c", "Connection: upgrade", length(HIDDEN)], HIDDEN),
};

/** Counts who comes. */
class Site extends App {
  readonly visits = { seen: 0, hidden: 0 };

  async seen(): Promise<string> {
    this.visits.seen++;
    return this.request.text();
  }

  hidden(): string {
    this.visits.hidden++;
    return "";
  }
}

/** Sends the pieces one after the other, each once the one before it has left, and hangs up. */
async function send(port: number, pieces: readonly string[]): Promise<void> {
  const socket = connect(port, "127.0.0.1");
  socket.setNoDelay(true);
  socket.on("error", () => socket.destroy());
  const closed = new Promise((resolve) => void socket.on("close", resolve));
  for (const piece of pieces) {
    await new Promise((resolve) => void socket.write(Buffer.from(piece, "latin1"), resolve));
  }
  socket.end();
  socket.resume();
  await closed;
}

describe("a request inside another", () => {
  guarantee(
    "a request that is hidden in another one's body or head is not answered, however it is split",
    {
      id: "G23",
      quick: 100,
      gate: 500,
      full: 20_000,
      of: `connections, with ${Object.keys(SMUGGLED).length} ways to hide it`,
    },
    async (trial) => {
      using _error = quiet("error");
      const app = new Site();
      const { port } = serve(app);
      const hidden = new Set<string>();
      const ways = Object.entries(SMUGGLED);
      for (let count = 0; count < trial.size; count++) {
        const [way, text] = ways[count % ways.length] as [string, string];
        const first = trial.random(text.length);
        const second = first + trial.random(text.length - first);
        const pieces = [text.slice(0, first), text.slice(first, second), text.slice(second)];
        app.visits.hidden = 0;
        await send(port, count < ways.length ? [text] : pieces);
        if (app.visits.hidden > 0) hidden.add(way);
      }
      const { seen } = app.visits;
      // One that is not hidden, so that it is known to be answered where it should be.
      await send(port, [post([CHUNKED], END + HIDDEN)]);
      expect(app.visits).toEqual({ seen: seen + 1, hidden: 1 });
      await app.close();
      trial.never("hidden requests answered", [...hidden]);
    },
  );
});
