// `bun bench/sqlite.ts`: the cost of a request on SQLite, in process, beside a counter written by hand on raw
// `bun:sqlite`. 200 concurrent requests, all contestants in turn; CPU time and, with FULL, elapsed time.
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { join } from "node:path";

import { App } from "../src/app/app.ts";
import { SqliteSessionBackend } from "../src/backends/sqlite/backend.ts";
import { createSqliteCounter } from "./servers/sqlite-counter-page.ts";

const AT_ONCE = 200;
/** How many batches of 200 requests make one measurement: enough that every contestant checkpoints its log. */
const TURNS = Number(process.env["TURNS"] ?? 10);
const ROUNDS = Number(process.env["ROUNDS"] ?? 40);

type Fetch = (request: Request) => Response | Promise<Response>;

/** One contestant: its requests, and its lowest measurement, in microseconds per request. */
interface Contestant {
  readonly name: string;
  readonly fetch: Fetch;
  readonly requests: readonly Request[];
  readonly cpu: number[];
  readonly elapsed: number[];
}

// Beside the sources: the system's temporary folder is often in memory, where FULL costs nothing.
const DATA = join(import.meta.dir, "../node_modules/.cache/bench");
mkdirSync(DATA, { recursive: true });
const folder = mkdtempSync(join(DATA, "sqlite-"));

class Counter extends App<{ visits: number }> {
  index(): string {
    const { session } = this.request;
    session.visits = (session.visits ?? 0) + 1;
    return `You have visited ${session.visits} times.`;
  }

  page(): string {
    return `You have visited ${this.request.session.visits} times.`;
  }
}

function counter(synchronous: "normal" | "full"): Fetch {
  const sessionBackend = new SqliteSessionBackend(join(folder, `app-${synchronous}.db`), {
    synchronous,
  });
  const app = new Counter({ sessionBackend, log: false });
  return (request) => app.fetch(request);
}

async function enter(name: string, fetch: Fetch, path: string): Promise<Contestant> {
  const requests: Request[] = [];
  for (let count = 0; count < AT_ONCE; count++) {
    const welcome = await fetch(new Request("http://localhost:3000/"));
    const [cookie = ""] = welcome.headers.getSetCookie()[0]?.split(";") ?? [];
    requests.push(new Request(`http://localhost:3000${path}`, { headers: { cookie } }));
  }
  return { name, fetch, requests, cpu: [], elapsed: [] };
}

async function measure({ fetch, requests, cpu, elapsed }: Contestant): Promise<void> {
  const [cpuBefore, begun] = [process.cpuUsage(), Bun.nanoseconds()];
  for (let turn = 0; turn < TURNS; turn++) {
    await Promise.all(requests.map((request) => fetch(request)));
    // A server gets its next requests in another turn of the event loop.
    await new Promise((resolve) => setImmediate(resolve));
  }
  const { user, system } = process.cpuUsage(cpuBefore);
  elapsed.push((Bun.nanoseconds() - begun) / 1000 / (TURNS * AT_ONCE));
  cpu.push((user + system) / (TURNS * AT_ONCE));
}

function lowest(values: readonly number[]): number {
  return values.toSorted((one, other) => one - other)[Math.floor(values.length / 10)] ?? NaN;
}

const only = process.argv[2];
const [handNormal, handFull] = ["normal", "full"].map((synchronous) =>
  createSqliteCounter(join(folder, `by-hand-${synchronous}.db`), synchronous),
) as [Fetch, Fetch];
const [appNormal, appFull] = [counter("normal"), counter("full")];
const contestants = [
  await enter("by hand", handNormal, "/"),
  await enter("counter", appNormal, "/"),
  await enter("page", appNormal, "/page"),
  await enter("by hand, FULL", handFull, "/"),
  await enter("counter, FULL", appFull, "/"),
].filter(({ name }) => only === undefined || name === only);

// FULL is slow because of the disk: a tenth of the rounds is enough.
for (let round = 0; round < ROUNDS; round++) {
  for (const contestant of contestants) {
    if (round % 5 !== 0 && contestant.name.endsWith("FULL")) continue;
    await measure(contestant);
  }
}
const table = contestants.map((contestant) => {
  const of = contestants.find(
    ({ name }) => name === (contestant.name.endsWith("FULL") ? "by hand, FULL" : "by hand"),
  );
  const [cpu, elapsed] = [lowest(contestant.cpu), lowest(contestant.elapsed)];
  return {
    name: contestant.name,
    "µs CPU": Number(cpu.toFixed(2)),
    "× by hand": Number((cpu / lowest(of?.cpu ?? [])).toFixed(3)),
    "µs elapsed": Number(elapsed.toFixed(2)),
    "× by hand ": Number((elapsed / lowest(of?.elapsed ?? [])).toFixed(3)),
  };
});
console.table(table);
rmSync(folder, { recursive: true });
process.exit();
