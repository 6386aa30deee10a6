// `bun run bench:inprocess`: the cost of one request in process, without a server, to a counter in memory on `App`,
// `wrap`, Elysia and Hono, beside a hand-written counter with the same duties. The ratio of the lowest times is
// stable on a busy machine too.
//
//   --rounds <n>        how often each contestant is measured; 400 by default
//   --sessions <n>      how many visitors take turns; 1 by default: with more, memory access dominates
//   --only <name,name>  only these contestants, and the hand-written one
//   --floors            each door's duties written by hand, instead of the doors: what they cost at least
import { parseArgs } from "node:util";

import type { Contestant } from "./inprocess/contestants.ts";
import { BY_HAND, CONTESTANTS } from "./inprocess/contestants.ts";
import { toFigures, toRow } from "./inprocess/report.ts";

/** How many requests a contestant gets in a row. */
const REQUESTS = 500;
const URL = "http://localhost:3000/";

const { values: options } = parseArgs({
  options: {
    rounds: { type: "string", default: "400" },
    sessions: { type: "string", default: "1" },
    only: { type: "string" },
    floors: { type: "boolean", default: false },
  },
});
const chosen = CONTESTANTS.filter(({ isFloor = false }) => isFloor === options.floors);
const names = options.only?.split(",") ?? chosen.map(({ name }) => name);
const contestants = CONTESTANTS.filter(({ name }) => name === BY_HAND || names.includes(name));

const requests = new Map<Contestant, readonly Request[]>();
for (const contestant of contestants) requests.set(contestant, await createRequests(contestant));

const times = new Map(contestants.map(({ name }) => [name, [] as number[]]));
for (let round = 0; round < Number(options.rounds); round++) {
  for (const [contestant, visitors] of shuffle([...requests])) {
    times.get(contestant.name)?.push(await measure(contestant, visitors));
  }
}

const figures = toFigures(times, BY_HAND);
console.info(`Bun ${Bun.version}, ${options.rounds} rounds of ${REQUESTS} requests each:`);
console.table(
  Object.fromEntries(
    contestants.flatMap(({ name, target }) => {
      const figure = figures.get(name);
      return figure === undefined ? [] : [[name, toRow(figure, target)]];
    }),
  ),
);
// Otherwise the sessions' sweeps would continue.
process.exit();

/** The requests of one round, by visitors whose sessions have begun. */
async function createRequests({ fetch }: Contestant): Promise<readonly Request[]> {
  const cookies: string[] = [];
  while (cookies.length < Number(options.sessions)) {
    const response = await fetch(new Request(URL));
    const [line = "session_id=none"] = response.headers.getSetCookie();
    cookies.push(`theme=dark; ${line.split(";", 1).join()}`);
  }
  return Array.from({ length: REQUESTS }, (_, index) => {
    const cookie = cookies[index % cookies.length] ?? "";
    return new Request(URL, { headers: { cookie } });
  });
}

/** The time of one request, in microseconds, on average over a round. */
async function measure({ fetch }: Contestant, visitors: readonly Request[]): Promise<number> {
  const begun = Bun.nanoseconds();
  for (const request of visitors) {
    const response = fetch(request);
    if (response instanceof Promise) await response;
  }
  return (Bun.nanoseconds() - begun) / visitors.length / 1000;
}

/** A random order, because what runs before a contestant affects its time. */
function shuffle<T>(items: readonly T[]): T[] {
  return items
    .map((item) => ({ item, at: Math.random() }))
    .toSorted((one, other) => one.at - other.at)
    .map(({ item }) => item);
}
