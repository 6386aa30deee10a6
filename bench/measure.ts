import { ServerProcess } from "./server-process.ts";
import type { Subject } from "./subjects.ts";
import { toKey } from "./subjects.ts";
import type { Findings, Preparation, Workload } from "./workloads.ts";
import type { WrkResult } from "./wrk.ts";
import { CONNECTIONS, load } from "./wrk.ts";

/** One piece of work, done by one subject. */
export interface Entry {
  readonly subject: Subject;
  readonly workload: Workload;
  readonly connections?: number;
  /** Measured in only this many rounds; in all by default. */
  readonly rounds?: number;
  /** Whether wrong sums are reported as lost updates, not as a fault: for peers, which promise no more. */
  readonly mayLose?: boolean;
}

/** One run of an entry. */
export interface Sample {
  /** CPU time of the server, user and system, for each request that it handled, in microseconds. */
  readonly microseconds: number;
  readonly perSecond: number;
  readonly handled: number;
}

export interface Result {
  readonly entry: Entry;
  /** By round: what was measured in the same round was measured within seconds. */
  readonly samples: readonly Sample[];
  readonly findings: Findings;
  /** Why it could not be measured. */
  readonly failure?: string;
}

export interface Settings {
  readonly rounds: number;
  /** How long each load lasts. */
  readonly seconds: number;
  /** How long each entry is loaded beforehand, so that Bun compiles the hot code. */
  readonly warmUp: number;
  readonly progress: (line: string) => void;
}

/** For requests that are sent only once: the number in the warm-up, and the most in a load. */
const ONCE = { warmUp: 1_000, most: 40_000 };

/** An entry with a running server. */
class Trial {
  readonly entry: Entry;
  readonly samples: Sample[] = [];
  readonly #server: ServerProcess;
  readonly #preparation: Preparation;
  readonly #faults: string[] = [];
  readonly #happened = { handled: 0, events: {} as Record<string, number> };

  private constructor(entry: Entry, server: ServerProcess, preparation: Preparation) {
    this.entry = entry;
    this.#server = server;
    this.#preparation = preparation;
  }

  static async prepare(entry: Entry, server: ServerProcess): Promise<Trial> {
    const { connections = CONNECTIONS, workload } = entry;
    return new Trial(entry, server, await workload.prepare(server, connections));
  }

  async warmUp(seconds: number): Promise<void> {
    await this.#load(seconds, ONCE.warmUp);
  }

  async measure(seconds: number, most: number): Promise<Sample> {
    const sample = await this.#load(seconds, most);
    this.samples.push(sample);
    return sample;
  }

  async finish(): Promise<Result> {
    const { faults, lost } = await this.#preparation.check(this.#happened);
    const isLoss = this.entry.mayLose === true && lost > 0;
    return {
      entry: this.entry,
      samples: this.samples,
      findings: { faults: [...this.#faults, ...(isLoss ? [] : faults)], lost },
    };
  }

  async #load(seconds: number, most: number): Promise<Sample> {
    const { connections = CONNECTIONS, subject } = this.entry;
    const { isUnpinned = false } = subject;
    const prepared = await this.#preparation.next(most);
    const before = await this.#server.report();
    const options = { ...prepared, connections, isUnpinned };
    const url = this.#server.url("/");
    const run = await load(url, options, seconds, this.#server.folder);
    const after = await this.#server.drained();
    const handled = after.handled - before.handled;
    this.#happened.handled += handled;
    const { events } = this.#happened;
    for (const [name, count] of Object.entries(after.events)) {
      events[name] = (events[name] ?? 0) + count - (before.events[name] ?? 0);
    }
    this.#faults.push(...run.faults, ...checkHandled(run, handled, connections, prepared.once));
    return {
      microseconds: (after.cpu - before.cpu) / handled,
      perSecond: run.perSecond,
      handled,
    };
  }
}

/**
 * The handler has run once for each response that wrk counted, and for the requests that wrk had sent but no
 * longer waited for when the time was up: at most one on each connection.
 */
export function checkHandled(
  run: Pick<WrkResult, "requests">,
  handled: number,
  connections: number,
  once = false,
): string[] {
  const cutOff = handled - run.requests;
  // At the end of a list, wrk continues with a page that does not count.
  const least = once ? -connections : 0;
  if (cutOff >= least && cutOff <= connections) return [];
  return [`The handler ran ${handled} times, for ${run.requests} requests that wrk saw answered.`];
}

/**
 * Measures the entries in rounds, in a different order each time. All servers run from beginning to end, so
 * that short loads suffice; servers that are not under load are idle.
 */
export async function measureGroup(
  entries: readonly Entry[],
  { rounds, seconds, warmUp, progress }: Settings,
): Promise<Result[]> {
  await using servers = new AsyncDisposableStack();
  const started = new Map<string, Promise<ServerProcess>>();
  const trials: Trial[] = [];
  const results: Result[] = [];
  const fail = (entry: Entry, error: unknown): void => {
    const failure = error instanceof Error ? error.message : String(error);
    progress(`${describe(entry)}: FAILED: ${failure}`);
    results.push({ entry, samples: [], findings: { faults: [], lost: 0 }, failure });
  };
  for (const entry of entries) {
    try {
      const key = toKey(entry.subject);
      let starting = started.get(key);
      if (starting === undefined) {
        starting = ServerProcess.start(entry.subject).then((server) => servers.use(server));
        started.set(key, starting);
      }
      const trial = await Trial.prepare(entry, await starting);
      await trial.warmUp(warmUp);
      trials.push(trial);
      progress(`${describe(entry)}: ready`);
    } catch (error) {
      fail(entry, error);
    }
  }
  const rates = new Map<Trial, number>();
  for (let round = 0; round < rounds; round++) {
    for (const trial of shuffle(trials)) {
      const { entry } = trial;
      if (round >= (entry.rounds ?? rounds)) continue;
      try {
        const most = Math.min(ONCE.most, Math.ceil((rates.get(trial) ?? 4_000) * seconds));
        const { microseconds, handled } = await trial.measure(seconds, most);
        rates.set(trial, (0.8 * 1_000_000) / microseconds);
        progress(
          `${round + 1}/${rounds} ${describe(entry)}: ${microseconds.toFixed(1)} µs, ${handled} requests`,
        );
      } catch (error) {
        trials.splice(trials.indexOf(trial), 1);
        fail(entry, error);
      }
    }
  }
  for (const trial of trials) {
    try {
      const result = await trial.finish();
      results.push(result);
      for (const fault of result.findings.faults)
        progress(`${describe(trial.entry)}: WRONG: ${fault}`);
    } catch (error) {
      fail(trial.entry, error);
    }
  }
  return results;
}

/** An entry in words, for the terminal. */
export function describe({ subject, workload, connections }: Entry): string {
  const { name, storage, runtime, variant = "" } = subject;
  const parts = [name, storage, runtime === "node" ? "Node" : "", variant, workload.name];
  if (connections !== undefined) parts.push(`${connections} connections`);
  return parts.filter((part) => part !== "").join(", ");
}

function shuffle<T>(items: readonly T[]): T[] {
  const shuffled = [...items];
  for (let last = shuffled.length - 1; last > 0; last--) {
    const other = Math.floor(Math.random() * (last + 1));
    [shuffled[last], shuffled[other]] = [shuffled[other] as T, shuffled[last] as T];
  }
  return shuffled;
}
