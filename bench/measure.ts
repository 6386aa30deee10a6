import type { Contestant } from "./contestants.ts";
import { cpuTimeOf } from "./cpu.ts";
import { ServerProcess } from "./server-process.ts";
import { createId } from "./servers/by-hand.ts";
import type { WrkResult } from "./wrk.ts";
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

/** So many requests, or at most so many seconds, give Bun time to compile what runs often. */
const WARM_UP = { requests: 100_000, seconds: 5 };

/**
 * Starts the contestant's server, warms it up, loads it for some seconds, and looks whether it has
 * answered rightly.
 */
export async function measure(contestant: Contestant, seconds: number): Promise<Sample> {
  await using server = await ServerProcess.start(contestant);
  const cookies: string[] = [];
  while (cookies.length < CONNECTIONS) cookies.push(await establish(server));

  const url = server.url(contestant.path);
  const warmUp = await warm(url, cookies, server.folder);
  const before = await cpuTimeOf(server.pid);
  const run = await load(url, cookies, seconds, server.folder);
  const used = (await cpuTimeOf(server.pid)) - before;

  await server.drained();
  const answers = await Promise.all(cookies.map((cookie) => read(url, cookie)));
  const { handled, rss } = await server.report();
  const check =
    contestant.page === undefined
      ? checkCounters(answers, handled, [...warmUp, run])
      : checkPages(answers, contestant.page);
  return {
    contestant: contestant.name,
    microseconds: used / run.requests,
    requests: run.requests,
    perSecond: run.perSecond,
    rss,
    verdict: check.verdict,
    faults: [...[...warmUp, run].flatMap(({ faults }) => faults), ...check.faults],
  };
}

/** Loads the page until it is warm. How fast a second goes by depends on what else the machine does. */
async function warm(url: string, cookies: readonly string[], folder: string): Promise<WrkResult[]> {
  const results: WrkResult[] = [];
  let requests = 0;
  while (requests < WARM_UP.requests && results.length < WARM_UP.seconds) {
    const result = await load(url, cookies, 1, folder);
    results.push(result);
    requests += result.requests;
  }
  return results;
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
 *    sent and no longer waited for when a load's time was up. Of those each load leaves at most one
 *    on each connection.
 */
export function checkCounters(
  answers: readonly string[],
  handled: number,
  loads: readonly WrkResult[],
): Check {
  const visits = answers.reduce((sum, answer) => sum + visitsIn(answer), 0);
  const counted = loads.reduce((sum, { requests }) => sum + requests, 0);
  const ours = 2 * answers.length;
  const cutOff = handled - counted - ours;
  const faults: string[] = [];
  if (visits !== handled) {
    faults.push(`The handler ran ${handled} times, and the counters add up to ${visits}.`);
  }
  if (cutOff < 0 || cutOff > loads.length * CONNECTIONS) {
    faults.push(
      `The handler ran ${handled} times, for ${counted} requests of wrk's and ${ours} of ours.`,
    );
  }
  return {
    verdict: `counters ${visits}, handled ${handled} = wrk ${counted} + cut off ${cutOff} + ours ${ours}`,
    faults,
  };
}

function visitsIn(answer: string): number {
  return Number(/^You have visited (\d+) times\.$/.exec(answer)?.[1]);
}
