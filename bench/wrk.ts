import { join } from "node:path";

import { pin } from "./pin.ts";

export const CONNECTIONS = 200;

/** A request that is sent under load. */
export interface LoadRequest {
  readonly method?: string;
  readonly path: string;
  readonly cookie?: string;
}

export interface Load {
  /** The requests, sent in turn. */
  readonly requests: readonly LoadRequest[];
  /** Whether each is sent only once; otherwise they start again after the last one. */
  readonly once?: boolean;
  readonly connections?: number;
  readonly isUnpinned?: boolean;
}

/** What wrk reports about a run. */
export interface WrkResult {
  /** Responses that arrived completely before the time was up. */
  readonly requests: number;
  readonly perSecond: number;
  /** What went wrong, in wrk's words. Empty if every response was 2xx or 3xx. */
  readonly faults: readonly string[];
}

// Requests are built once, beforehand, so that wrk waits for the server and not the other way round. They
// are read from a file, because a script must not have more than 65,536 constants.
const SCRIPT = `
  local requests, turn, once, idle = {}, 0, false, nil

  function init(args)
    once = args[2] == "once"
    idle = wrk.format("GET", "/nothing")
    for line in io.lines(args[1]) do
      local method, path, cookie = line:match("^(%S+) (%S+) ?(.*)$")
      requests[#requests + 1] = wrk.format(method, path, cookie ~= "" and { Cookie = cookie } or nil)
    end
  end

  function request()
    if turn == 0 then
      io.stderr:write("started")
      io.stderr:flush()
    end
    turn = turn + 1
    if turn > #requests then
      if once then
        wrk.thread:stop()
        return idle
      end
      turn = 1
    end
    return requests[turn]
  end
`;

/** Longer than any load: wrk counts in whole seconds, and is interrupted when the time is up. */
const FOREVER = 600;

/** In milliseconds. */
const AGAIN = 500;

/**
 * Loads a server for some seconds, one request at a time on each connection.
 *
 * wrk's scripts do not know which connection a request is for. Its one thread sends requests in the order
 * in which responses arrive. So with several times as many sessions as connections, taken in turn, a
 * session's last request has been answered before its next one is sent, unless hundreds of other responses
 * overtake one.
 */
export async function load(
  url: string,
  { requests, once = false, connections = CONNECTIONS, isUnpinned = false }: Load,
  seconds: number,
  folder: string,
): Promise<WrkResult> {
  const script = join(folder, "load.lua");
  const list = join(folder, "requests.txt");
  await Bun.write(script, SCRIPT);
  await Bun.write(list, requests.map(toLine).join("\n"));
  const flags = ["-t1", `-c${connections}`, `-d${FOREVER}`, "--timeout", "10s", "-s", script];
  const command = ["wrk", ...flags, url, "--", list, once ? "once" : "again"];
  const child = Bun.spawn(isUnpinned ? command : pin("load", command), {
    stdout: "pipe",
    stderr: "pipe",
  });
  // While wrk reads the list, an interruption would end it without a result.
  const said = child.stderr.getReader();
  const first = new TextDecoder().decode((await said.read()).value);
  if (first !== "started") throw new Error(`wrk did not start: ${first}`);
  await Bun.sleep(seconds * 1000);
  const output = child.stdout.text();
  // A signal that arrives just before wrk begins to wait would be lost.
  child.kill("SIGINT");
  const again = setInterval(() => child.kill("SIGINT"), AGAIN);
  await child.exited;
  clearInterval(again);
  await said.cancel();
  return resultIn(await output);
}

function toLine({ method = "GET", path, cookie = "" }: LoadRequest): string {
  return `${method} ${path} ${cookie}`;
}

/**
 * Parses the output of wrk.
 *
 * @throws Error if wrk ended before it counted.
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
