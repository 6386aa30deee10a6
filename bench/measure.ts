import type { Contestant } from "./contestants.ts";
import { cpuTimeOf } from "./cpu.ts";
import { ServerProcess } from "./server-process.ts";
import { createId } from "./servers/by-hand.ts";
import { CONNECTIONS, load } from "./wrk.ts";

/** One run of one contestant. */
export interface Sample {
  readonly contestant: string;
  /** CPU time of the server's process, user and system, for each request, in microseconds. */
  readonly microseconds: number;
  /** Requests that wrk saw answered in the measured time. */
  readonly requests: number;
  readonly perSecond: number;
  /** Memory of the server's process after the load, in bytes. */
  readonly rss: number;
  /** What the answers were found to be. */
  readonly verdict: string;
  /** What was wrong with them; empty if nothing was. */
  readonly faults: readonly string[];
}

/** How long a run is to take, in seconds. The warm-up comes first, and counts for nothing. */
export interface Duration {
  readonly warmUp: number;
  readonly measured: number;
}

/** Starts the contestant's server, loads it, and looks whether it has answered rightly. */
export async function measure(contestant: Contestant, duration: Duration): Promise<Sample> {
  await using server = await ServerProcess.start(contestant);
  const cookies: string[] = [];
  while (cookies.length < CONNECTIONS) cookies.push(await establish(server));

  const url = server.url(contestant.path);
  const warmUp = await load(url, cookies, duration.warmUp, server.folder);
  const before = await cpuTimeOf(server.pid);
  const run = await load(url, cookies, duration.measured, server.folder);
  const used = (await cpuTimeOf(server.pid)) - before;

  await server.drained();
  const answers = await Promise.all(cookies.map((cookie) => read(url, cookie)));
  const { handled, rss } = await server.report();
  const check =
    contestant.page === undefined
      ? checkCounters(answers, handled, warmUp.requests + run.requests)
      : checkPages(answers, contestant.page);
  return {
    contestant: contestant.name,
    microseconds: used / run.requests,
    requests: run.requests,
    perSecond: run.perSecond,
    rss,
    verdict: check.verdict,
    faults: [...warmUp.faults, ...run.faults, ...check.faults],
  };
}

/** The cookie of a new session. A server without sessions gets one of the same size. */
async function establish(server: ServerProcess): Promise<string> {
  const response = await fetch(server.url("/"));
  const [line = `session_id=${createId()}`] = response.headers.getSetCookie();
  return line.split(";", 1).join();
}

/** The page that a session is shown, with its status where that is not 200. */
async function read(url: string, cookie: string): Promise<string> {
  const response = await fetch(url, { headers: { cookie } });
  const page = await response.text();
  return response.status === 200 ? page : `${response.status} ${page}`;
}

interface Check {
  readonly verdict: string;
  readonly faults: readonly string[];
}

function checkPages(answers: readonly string[], page: string): Check {
  const wrong = answers.filter((answer) => answer !== page);
  const faults = wrong.length === 0 ? [] : [`${wrong.length} sessions were shown "${wrong[0]}".`];
  return { verdict: `${answers.length - wrong.length} sessions were shown the right page`, faults };
}

/**
 * Two things have to hold after the load, once nothing is under way any more.
 *
 * 1. The numbers that the sessions are shown in the end add up to exactly the number of times that
 *    the handler has run since the server started. One more is a visit counted twice, one less a
 *    visit lost.
 * 2. The handler has run once for each request: to establish each session, for each answer that wrk
 *    counted, warm-up included, to read each session in the end, and for the requests that wrk had
 *    sent and no longer waited for when its time was up. Of those there is at most one for each
 *    connection and load, and there were two loads.
 */
export function checkCounters(answers: readonly string[], handled: number, loaded: number): Check {
  const visits = answers.reduce((sum, answer) => sum + visitsIn(answer), 0);
  const cutOff = handled - loaded - 2 * answers.length;
  const faults: string[] = [];
  if (visits !== handled) {
    faults.push(`The handler ran ${handled} times, and the counters add up to ${visits}.`);
  }
  if (cutOff < 0 || cutOff > 2 * CONNECTIONS) {
    faults.push(`The handler ran ${handled} times, for ${loaded} requests under load.`);
  }
  const verdict = `counters ${visits} = handled ${handled} = wrk ${loaded} + cut off ${cutOff} + ours ${2 * answers.length}`;
  return { verdict: faults.length === 0 ? verdict : "counters are wrong", faults };
}

function visitsIn(answer: string): number {
  return Number(/^You have visited (\d+) times\.$/.exec(answer)?.[1]);
}
