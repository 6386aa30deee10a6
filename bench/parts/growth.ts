import { join } from "node:path";

import type { Line } from "../chart.ts";
import { drawLines } from "../chart.ts";
import type { Entry, Result, Settings } from "../measure.ts";
import { describe, measureGroup } from "../measure.ts";
import type { Section } from "../report.ts";
import { formatNumber, toTable } from "../report.ts";
import { ServerProcess } from "../server-process.ts";
import type { Reasons } from "../shape.ts";
import { describeShape, findShape } from "../shape.ts";
import { measureSizes } from "../sizes.ts";
import { toFigure } from "../statistics.ts";
import type { Storage } from "../subjects.ts";
import { bunpieOn, STORAGE_TITLES } from "../subjects.ts";
import { COUNTER, counterAmong, EXACT, makeCounter } from "../workloads.ts";

/** What grows, in steps; fewer of them for `--quick`. */
const STEPS = {
  stored: [1_000, 10_000, 100_000, 1_000_000],
  connections: [1, 8, 64, 512],
  bytes: [100, 1_000, 8_000, 32_000],
  processes: [1, 2],
  sessions: [1, 10, 100, 1_000, 10_000],
} as const;
const QUICK: Readonly<Record<keyof typeof STEPS, readonly number[]>> = {
  stored: [1_000, 10_000],
  connections: [1, 64],
  bytes: [100, 8_000],
  processes: [1, 2],
  sessions: [1, 10, 100],
};

const STORAGES: readonly Storage[] = ["memory", "normal", "redis", "postgres"];

/** Stores in the app's process. Where the store is a server, the app's work does not depend on the size. */
const IN_PROCESS: readonly Storage[] = ["memory", "normal"];

/** How many users are measured per size: more of them where one takes little time. */
const USERS_FOR = { sessions: 2_000, least: 2, most: 20 };

const WARM_UPS = 20;

/** A series of measurements of which one thing grows. */
interface Study {
  readonly title: string;
  readonly about: string;
  readonly file: string;
  readonly axis: string;
  readonly steps: readonly number[];
  readonly storages: readonly Storage[];
  readonly toEntry: (storage: Storage, step: number) => Entry;
  readonly reasons: Reasons;
  /** Whether the text describes a straight line besides the factor. */
  readonly isLinear?: boolean;
}

function toStudies(steps: Readonly<Record<keyof typeof STEPS, readonly number[]>>): Study[] {
  return [
    {
      title: "Stored sessions",
      about:
        "A counter with a growing number of stored sessions, of which 4,000 are visited in turn. Redis and PostgreSQL search in their own processes, so they are not in this chart.",
      file: "growth.svg",
      axis: "stored sessions",
      steps: steps.stored,
      storages: IN_PROCESS,
      toEntry: (storage, count) => ({
        subject: bunpieOn(storage, { variant: `${count} stored` }),
        workload: counterAmong(count),
      }),
      reasons: {
        flat: "because a session is found by its key, in a hash table or in a B-tree that hardly gets deeper",
        rising:
          "because a session is found by its key, and what grows is the share of look-ups that miss the caches",
      },
    },
    {
      title: "Connections",
      about: "A counter under a growing number of concurrent connections.",
      file: "growth-connections.svg",
      axis: "connections",
      steps: steps.connections,
      storages: STORAGES,
      toEntry: (storage, connections) => ({
        subject: bunpieOn(storage),
        workload: COUNTER,
        connections,
      }),
      reasons: {
        falling:
          "because a turn of the event loop then serves many requests, and shares a system call, a transaction or a batch of commands among them",
        flat: "because nothing is kept for a connection beyond its socket",
        rising:
          "because every request in flight keeps its objects alive for longer, and the garbage collector copies them",
      },
    },
    {
      title: "Size of a session",
      about: "A counter in a session with a growing number of further bytes.",
      file: "growth-data.svg",
      axis: "bytes in the session",
      steps: steps.bytes,
      storages: STORAGES,
      toEntry: (storage, bytes) => ({ subject: bunpieOn(storage), workload: makeCounter(bytes) }),
      reasons: {
        flat: "because what is read and written is small beside what a request costs in any case",
        rising:
          "because the whole session is parsed and written as JSON each time: a fixed part and one for each byte",
        proportional:
          "because the whole session is parsed and written as JSON each time, and that is most of the work at the larger sizes",
      },
      isLinear: true,
    },
  ];
}

/** How the cost changes as the work grows. */
export async function measureGrowth(
  settings: Settings,
  plots: string,
  isQuick: boolean,
): Promise<Section> {
  const steps = isQuick ? QUICK : STEPS;
  const texts: string[] = [];
  const faults: string[] = [];
  for (const study of toStudies(steps)) {
    const { text, wrong } = await runStudy(study, settings, plots);
    texts.push(text);
    faults.push(...wrong);
  }
  const processes = await compareProcesses(steps.processes, settings);
  texts.push(processes.text);
  faults.push(...processes.wrong);
  texts.push(await measureUsers(steps.sessions, settings, plots));
  const sizes = await measureSizes(isQuick, settings.progress);
  texts.push(sizes);
  return { title: "As the work grows", text: texts.join("\n\n"), faults };
}

interface Part {
  readonly text: string;
  readonly wrong: readonly string[];
}

async function runStudy(study: Study, settings: Settings, plots: string): Promise<Part> {
  const { title, about, file, axis, steps, storages, toEntry, reasons, isLinear } = study;
  const lines: Line[] = [];
  const sentences: string[] = [];
  const columns: string[][] = [];
  const wrong: string[] = [];
  const notes: string[] = [];
  for (const storage of storages) {
    const entries = steps.map((step) => toEntry(storage, step));
    const results = await measureGroup(entries, settings);
    const figures = entries.map((entry) =>
      toFigure(results.find((result) => result.entry === entry)?.samples ?? []),
    );
    collect(results, wrong, notes);
    const name = STORAGE_TITLES[storage];
    columns.push(
      figures.map(({ lowest, median }) => `${formatNumber(lowest)} / ${formatNumber(median)}`),
    );
    const points = steps
      .map((x, index) => ({ x, y: figures[index]?.lowest ?? NaN }))
      .filter(({ y }) => !Number.isNaN(y));
    if (points.length < 2) continue;
    lines.push({ name, points });
    const { fixed, perUnit } = findShape(points);
    const fit = `; the best linear fit is ${fixed.toFixed(1)} µs plus ${(1000 * perUnit).toFixed(2)} µs for each 1,000 bytes.`;
    const sentence = describeShape(name, axis, points, reasons);
    sentences.push(`- ${isLinear === true ? sentence.replace(/\.$/, fit) : sentence}`);
  }
  const chart = {
    title,
    subtitle: `${about.split(". ")[0]?.replace(/\.$/, "")}. CPU time, lowest of the rounds.`,
    x: axis,
    y: "µs for each request",
  };
  await Bun.write(join(plots, file), drawLines({ ...chart, lines }));
  return {
    text: [
      `### ${title}`,
      about,
      `![${title}](plots/${file})`,
      toTable(
        [`${axis}; µs, lowest / median`, ...storages.map((storage) => STORAGE_TITLES[storage])],
        steps.map((step, row) =>
          [step.toLocaleString("en")].concat(columns.map((column) => column[row] ?? "")),
        ),
      ),
      [...sentences, ...notes].join("\n"),
    ].join("\n\n"),
    wrong,
  };
}

function collect(results: readonly Result[], wrong: string[], notes: string[]): void {
  for (const { entry, findings, failure } of results) {
    if (failure !== undefined) notes.push(`- Not measured: ${describe(entry)}. ${failure}`);
    wrong.push(...findings.faults.map((fault) => `${describe(entry)}: ${fault}`));
  }
}

/** Neither server nor wrk is pinned to a core: with two processes there is none to spare. */
async function compareProcesses(steps: readonly number[], settings: Settings): Promise<Part> {
  const storages: readonly Storage[] = ["normal", "redis", "postgres"];
  const rows: string[][] = [];
  const sentences: string[] = [];
  const wrong: string[] = [];
  const notes: string[] = [];
  for (const storage of storages) {
    const entries = steps.map((processes) => ({
      subject: bunpieOn(storage, {
        processes,
        isUnpinned: true,
        variant: `${processes} processes`,
      }),
      workload: EXACT,
    }));
    const results = await measureGroup(entries, settings);
    collect(results, wrong, notes);
    const cells = entries.map((entry) => {
      const samples = results.find((result) => result.entry === entry)?.samples ?? [];
      const perSecond = Math.max(0, ...samples.map((sample) => sample.perSecond));
      return { lowest: toFigure(samples).lowest, perSecond };
    });
    rows.push([
      STORAGE_TITLES[storage],
      ...cells.map(
        ({ lowest, perSecond }) => `${formatNumber(lowest)} µs, ${formatNumber(perSecond)}/s`,
      ),
    ]);
    const points = steps
      .map((x, index) => ({ x, y: cells[index]?.lowest ?? NaN }))
      .filter(({ y }) => !Number.isNaN(y));
    if (points.length < 2) continue;
    const reasons = {
      flat: "because processes share nothing but the store",
      falling: "because each process has fewer connections to look after at once",
      rising:
        "because each process has half the requests in flight, and so shares a commit or a burst of commands among fewer",
      proportional:
        "because each process has half the requests in flight, and they wait for each other's locks and for a core",
      steeper: "because the processes wait for each other's locks and for a core",
    };
    sentences.push(`- ${describeShape(STORAGE_TITLES[storage], "processes", points, reasons)}`);
  }
  return {
    text: [
      "### Processes",
      "A counter with `session.update()` in processes that share a port (`reusePort`) and a store: CPU time of all processes for each request, and requests per second. On a machine with two cores, wrk takes one of them, so the table shows the cost of sharing, and that no update is lost.",
      toTable(["", ...steps.map((step) => `${step} process${step === 1 ? "" : "es"}`)], rows),
      [...sentences, ...notes].join("\n"),
    ].join("\n\n"),
    wrong,
  };
}

const OPERATIONS = ["login", "list", "revokeAll"] as const;
type Operation = (typeof OPERATIONS)[number];

const USER_REASONS: Readonly<Record<Operation, Reasons>> = {
  login: {
    flat: "because a login looks only for the sessions beyond `maxPerUser`, of which there are none",
    rising: "because the user's sessions are found through an index, or counted",
    proportional: "because the user's sessions are counted against `maxPerUser`",
  },
  list: {
    flat: "because one round trip outweighs the rows",
    rising: "because each session is a row to read, up to the 1,000 that are listed at most",
    proportional: "because each session is a row to read",
  },
  revokeAll: {
    flat: "because one round trip outweighs the rows",
    rising: "because sessions end in batches, which share a commit or a round trip",
    proportional: "because each session has to end, a batch at a time",
    steeper: "because each session has to end, and a batch costs a round trip more",
  },
};

/** How long operations on one user's sessions take as their number grows. */
async function measureUsers(
  steps: readonly number[],
  { progress }: Settings,
  plots: string,
): Promise<string> {
  const cells = new Map<string, string>();
  const lines: Line[] = [];
  const sentences: string[] = [];
  for (const storage of STORAGES) {
    const curves = new Map<Operation, { x: number; y: number }[]>(
      OPERATIONS.map((operation) => [operation, []]),
    );
    try {
      await using server = await ServerProcess.start(bunpieOn(storage));
      // Warm-up: Bun compiles the hot code.
      for (let run = 0; run < WARM_UPS; run++) await timeOperations(server, 10, `warm-up${run}-`);
      for (const count of steps) {
        const times = await timeOperations(server, count);
        for (const [operation, time] of times) {
          curves.get(operation)?.push({ x: count, y: time });
          cells.set(`${storage} ${operation} ${count}`, formatNumber(time));
        }
        progress(`${storage}: ${count} sessions of one user`);
      }
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      sentences.push(`- Not measured on ${STORAGE_TITLES[storage]}. ${reason}`);
      continue;
    }
    for (const [operation, points] of curves) {
      if (points.length < 2) continue;
      const name = `${STORAGE_TITLES[storage]}, ${operation}`;
      sentences.push(
        `- ${describeShape(name, "sessions of the user", points, USER_REASONS[operation])}`,
      );
      if (operation === "revokeAll") lines.push({ name: STORAGE_TITLES[storage], points });
    }
  }
  const file = "growth-user.svg";
  await Bun.write(
    join(plots, file),
    drawLines({
      title: "Signing a user out everywhere",
      subtitle:
        "How long revokeAll takes by the number of the user's sessions, lowest of several users; both axes are logarithmic.",
      x: "sessions of the user",
      y: "µs",
      lines,
      isLogarithmic: true,
    }),
  );
  const rows = STORAGES.flatMap((storage) =>
    OPERATIONS.map((operation) => [
      `${STORAGE_TITLES[storage]}, ${operation}`,
      ...steps.map((count) => cells.get(`${storage} ${operation} ${count}`) ?? "–"),
    ]),
  );
  return [
    "### Sessions of one user",
    "How long a login, `list` and `revokeAll` take in the server's process, in µs from call to result, by the number of the user's sessions (`maxPerUser: Infinity`); the lowest of several users.",
    `![Signing a user out everywhere](plots/${file})`,
    toTable(["sessions", ...steps.map((count) => count.toLocaleString("en"))], rows),
    sentences.join("\n"),
  ].join("\n\n");
}

async function timeOperations(
  server: ServerProcess,
  count: number,
  prefix = `user${count}-`,
): Promise<Map<Operation, number>> {
  const { sessions, least, most } = USERS_FOR;
  const users = Math.min(most, Math.max(least, Math.floor(sessions / count)));
  const names = Array.from({ length: users }, (_, index) => `${prefix}${index}`);
  for (const name of names) {
    await server.ask({ name: "create", count, keep: 1, path: `/login/${name}`, method: "POST" });
  }
  const times = new Map<Operation, number>();
  for (const operation of OPERATIONS) {
    let lowest = Infinity;
    for (const user of names) {
      lowest = Math.min(lowest, (await server.ask({ name: "user", user, operation })) as number);
    }
    times.set(operation, lowest);
  }
  return times;
}
