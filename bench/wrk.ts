import { join } from "node:path";

import { pin } from "./pin.ts";

export const CONNECTIONS = 200;

/** What wrk says about a run. */
export interface WrkResult {
  /** Answers that arrived whole before the time was up. */
  readonly requests: number;
  readonly perSecond: number;
  /** What went wrong, in wrk's own words. Empty if every answer was 2xx or 3xx. */
  readonly faults: readonly string[];
}

/**
 * Loads a page for some seconds over 200 connections, one request at a time on each.
 *
 * Each connection has a session to itself, although wrk's scripts are not told which connection a
 * request is for. wrk's one thread sends requests in the order in which answers come in, and our
 * servers answer in the order in which requests come in. So with as many cookies as connections,
 * taken in turn, a cookie's last request has been answered before its next one is sent.
 */
export async function load(
  url: string,
  cookies: readonly string[],
  seconds: number,
  folder: string,
): Promise<WrkResult> {
  const script = join(folder, "load.lua");
  await Bun.write(script, scriptFor(new URL(url).pathname, cookies));
  const wrk = ["wrk", "-t1", `-c${CONNECTIONS}`, `-d${seconds}`, "-s", script, url];
  const child = Bun.spawn(pin("load", wrk), { stdout: "pipe", stderr: "inherit" });
  return resultIn(await child.stdout.text());
}

/** Requests are put together once, beforehand: wrk is to wait for the server, not the other way round. */
function scriptFor(path: string, cookies: readonly string[]): string {
  return `
    local cookies = { ${cookies.map((cookie) => JSON.stringify(cookie)).join(", ")} }
    local requests = {}
    local turn = 0

    function init()
      for index, cookie in ipairs(cookies) do
        requests[index] = wrk.format("GET", "${path}", { Cookie = cookie })
      end
    end

    function request()
      turn = turn % #requests + 1
      return requests[turn]
    end
  `;
}

/**
 * What wrk prints.
 *
 * @throws Error if it did not get as far as counting.
 */
export function resultIn(output: string): WrkResult {
  const requests = /^\s*(\d+) requests in /m.exec(output)?.[1];
  const perSecond = /^Requests\/sec:\s*([\d.]+)/m.exec(output)?.[1];
  if (requests === undefined || perSecond === undefined) {
    throw new Error(`wrk printed no result:\n${output}`);
  }
  return {
    requests: Number(requests),
    perSecond: Number(perSecond),
    faults: [...output.matchAll(/^\s*((?:Socket errors|Non-2xx or 3xx responses): .+)/gm)].map(
      ([, fault = ""]) => fault,
    ),
  };
}
