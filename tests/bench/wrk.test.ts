import { describe, expect, test } from "bun:test";

import { resultIn } from "../../bench/wrk.ts";

const printed = (...faults: string[]): string =>
  [
    "Running 2s test @ http://127.0.0.1:5999/",
    "  1 threads and 200 connections",
    "  Thread Stats   Avg      Stdev     Max   +/- Stdev",
    "    Latency     1.69ms    1.53ms  22.83ms   93.51%",
    "    Req/Sec   117.73k    27.88k  161.09k    65.00%",
    "  234785 requests in 2.01s, 26.87MB read",
    ...faults,
    "Requests/sec: 116668.17",
    "Transfer/sec:     13.35MB",
    "",
  ].join("\n");

describe("resultIn", () => {
  test("returns the requests, the rate and no faults of a run that succeeded", () => {
    expect(resultIn(printed())).toEqual({ requests: 234785, perSecond: 116668.17, faults: [] });
  });

  test("returns each fault in wrk's words", () => {
    const socket = "Socket errors: connect 0, read 12, write 0, timeout 3";
    const status = "Non-2xx or 3xx responses: 7";
    expect(resultIn(printed(`  ${socket}`, `  ${status}`)).faults).toEqual([socket, status]);
  });

  test("throws what wrk printed if that contains no result", () => {
    expect(() => resultIn("unable to connect to 127.0.0.1:1")).toThrow("unable to connect");
  });
});
