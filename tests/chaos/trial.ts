import { seededRandom } from "../support/arbitraries/random.ts";
import { Client } from "./checker/client.ts";
import type { History } from "./checker/history.ts";
import type { Verdict } from "./checker/judge.ts";
import { judge } from "./checker/judge.ts";
import type { KnownCookie } from "./checker/visitor.ts";
import { replay, replayAll, Visitor } from "./checker/visitor.ts";
import type { Program } from "./server-process.ts";
import { ServerProcess } from "./server-process.ts";
import type { ChaosStore, Random, StoreFault } from "./stores.ts";
import { span } from "./stores.ts";

export const SERVERS = 3;
/** How many devices share an account, so that one signs the others out. */
const DEVICES_PER_ACCOUNT = 3;
/** How many at once try old cookies. */
const THIEVES = 2;
/** In milliseconds: at most so long, and half a second, goes by between two faults. */
const PEACE = 1_500;
/** In milliseconds: so long after the last fault all has to be well again. */
const RECOVERY = 30_000;

export interface TrialOptions {
  readonly program: Program;
  readonly users: number;
  readonly seed: number;
  /** When it is enough: asked all the time with the history so far, and the milliseconds that have passed. */
  readonly isOver: (history: History, elapsed: number) => boolean;
}

/** What was done, and what came of it. */
export interface TrialResult extends Verdict {
  readonly store: string;
  readonly history: History;
  /** How often each fault was brought about. */
  readonly faults: ReadonlyMap<string, number>;
  /** How many cookies were handed out, each of which was tried again in the end. */
  readonly cookies: number;
}

/** Visitors at work while servers and their store break; then the judgement. */
export async function runTrial(store: ChaosStore, options: TrialOptions): Promise<TrialResult> {
  const { program, users, seed } = options;
  await using stack = new AsyncDisposableStack();
  const servers = await Promise.all(
    store.targets.map((target) => ServerProcess.start(program, store.name, target)),
  );
  for (const server of servers) stack.use(server);

  const client = new Client(servers.map(({ url }) => url));
  const known: KnownCookie[] = [];
  const faults = new Map<string, number>();
  const begun = performance.now();
  const isOver = (): boolean => options.isOver(client.history, performance.now() - begun);
  const random = seededRandom(seed);
  const fork = (): Random => seededRandom(random(2 ** 31));
  const visitors = Array.from({ length: users }, (_, index) => {
    const account = `account-${Math.floor(index / DEVICES_PER_ACCOUNT)}`;
    return new Visitor(client, `device-${index}`, account, known, fork());
  });
  await Promise.all([
    ...visitors.map((visitor) => visitor.visit(isOver)),
    ...Array.from({ length: THIEVES }, () => replay(client, known, fork(), isOver)),
    bringAbout(serverFaults(servers), faults, fork(), isOver),
    bringAbout(store.faults, faults, fork(), isOver),
  ]);
  await replayAll(client, known, fork(), RECOVERY);

  const { history } = client;
  const verdict = judge(history, store);
  return { store: store.name, history, faults, cookies: known.length, ...verdict };
}

/** One fault after the other, with some peace in between. */
async function bringAbout(
  faults: readonly StoreFault[],
  counts: Map<string, number>,
  random: Random,
  isOver: () => boolean,
): Promise<void> {
  while (!isOver() && faults.length > 0) {
    await Bun.sleep(500 + random(PEACE));
    const fault = faults[random(faults.length)];
    if (fault === undefined || isOver()) continue;
    await fault.run(random);
    counts.set(fault.name, (counts.get(fault.name) ?? 0) + 1);
  }
}

function serverFaults(servers: readonly ServerProcess[]): StoreFault[] {
  const onOne = (
    name: string,
    run: (server: ServerProcess, random: Random) => Promise<void>,
  ): StoreFault => ({
    name,
    run: async (random) => {
      const server = servers[random(servers.length)];
      if (server !== undefined) await run(server, random);
    },
  });
  const kill = onOne("servers killed", async (server, random) => {
    await server.kill();
    await Bun.sleep(span(random));
    await server.start();
  });
  const freeze = onOne("servers stopped", async (server, random) => {
    server.freeze();
    await Bun.sleep(span(random));
    server.thaw();
  });
  const restart = onOne("servers restarted", async (server) => {
    await server.end();
    await server.start();
  });
  return [kill, kill, freeze, restart];
}
