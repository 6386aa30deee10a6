import { join } from "node:path";

import type { Bar } from "../chart.ts";
import { drawBars } from "../chart.ts";
import type { Entry, Result, Settings } from "../measure.ts";
import { describe, measureGroup } from "../measure.ts";
import type { Section } from "../report.ts";
import { formatNumber, toTable } from "../report.ts";
import { findRatio, findSamples, toFigure } from "../statistics.ts";
import type { Storage, Subject } from "../subjects.ts";
import { bunpieOn, HELLO, STORAGE_TITLES } from "../subjects.ts";
import { COUNTER, FRAMEWORK, READ, TABS } from "../workloads.ts";

const PEERS = join(import.meta.dir, "../peers");

const BY_HAND = "by hand: cookie, Map";
const RAW_SQLITE = "by hand: raw bun:sqlite";
const ELYSIA_MAP = "Elysia, Map by hand";

function peer(
  name: string,
  program: string,
  storage: Storage,
  runtime: "bun" | "node" = "bun",
): Subject {
  return { name, program: `peers/${program}.js`, storage, runtime };
}

/** Measured together, each group with bare Bun.serve. */
const GROUPS: readonly (readonly Subject[])[] = [
  [
    bunpieOn("memory"),
    { name: "Bunpie's wrap", program: "servers/wrap.ts", storage: "memory", isOurs: true },
    { name: "Bunpie on Elysia", program: "servers/elysia.ts", storage: "memory", isOurs: true },
    { name: "Bunpie on Hono", program: "servers/hono.ts", storage: "memory", isOurs: true },
    { name: BY_HAND, program: "servers/map-counter.ts", storage: "memory" },
    {
      name: "by hand: hashed id, text, expiry",
      program: "servers/text-counter.ts",
      storage: "memory",
    },
    peer(ELYSIA_MAP, "elysia-map", "memory"),
    peer("hono-sessions", "hono-sessions", "memory"),
    peer("@hono/session", "hono-session", "memory"),
    peer("@remix-run/session", "remix", "memory"),
    peer("express-session", "express", "memory"),
    peer("express-session", "express", "memory", "node"),
    peer("@fastify/session", "fastify", "memory"),
    peer("@fastify/session", "fastify", "memory", "node"),
    peer("koa-session", "koa", "memory"),
    peer("koa-session", "koa", "memory", "node"),
  ],
  [
    peer("iron-session", "iron-session", "cookie"),
    peer("h3", "h3", "cookie"),
    peer("koa-session", "koa", "cookie", "node"),
  ],
  [
    bunpieOn("normal"),
    { name: RAW_SQLITE, program: "servers/sqlite-counter.ts", storage: "normal" },
    bunpieOn("full"),
    { name: RAW_SQLITE, program: "servers/sqlite-counter.ts", storage: "full" },
    peer("hono-sessions", "hono-sessions", "normal"),
    peer("express-session, better-sqlite3", "express", "normal", "node"),
  ],
  [
    bunpieOn("redis"),
    peer("express-session, connect-redis", "express", "redis"),
    peer("express-session, connect-redis", "express", "redis", "node"),
  ],
  [
    bunpieOn("postgres"),
    peer("express-session, connect-pg-simple", "express", "postgres"),
    peer("express-session, connect-pg-simple", "express", "postgres", "node"),
  ],
];

/** The programs that are tested with two tabs. With data in a cookie, the last response would always win. */
function hasTabs({ program, storage }: Subject): boolean {
  return storage !== "cookie" && (program.startsWith("peers/") || program === "servers/bunpie.ts");
}

/** What other libraries lose is reported, not counted as a fault: they promise no more. */
function toEntries(subject: Subject): Entry[] {
  const mayLose = subject.program.startsWith("peers/");
  const entries: Entry[] = [
    { subject, workload: COUNTER, mayLose },
    { subject, workload: READ, rounds: 3 },
    { subject, workload: FRAMEWORK, rounds: 2 },
  ];
  // One load is enough to show what is lost.
  if (hasTabs(subject)) entries.push({ subject, workload: TABS, rounds: 1, mayLose });
  return entries;
}

/** Installs the peers' packages, which the package itself does not need. */
async function install(progress: (line: string) => void): Promise<string | undefined> {
  progress("Installing the peers of bench/peers …");
  const headers = "/usr/include/node/node.h";
  // Native modules find Node's headers where a distribution puts them, instead of fetching them.
  const env = (await Bun.file(headers).exists()) ? { npm_config_nodedir: "/usr" } : {};
  const child = Bun.spawn([process.execPath, "install", "--frozen-lockfile"], {
    cwd: PEERS,
    env: { ...env, ...process.env },
    stdout: "ignore",
    stderr: "pipe",
  });
  const said = await child.stderr.text();
  if ((await child.exited) === 0) return undefined;
  return said.trim().split("\n").at(-1) ?? "no reason given";
}

/** Bunpie beside other libraries, each configured as its documentation recommends for production. */
export async function comparePeers(settings: Settings, plots: string): Promise<Section> {
  const failure = await install(settings.progress);
  const rows: string[][] = [];
  const bars: Bar[] = [];
  const notes: string[] = failure === undefined ? [] : [`The peers were not installed: ${failure}`];
  const faults: string[] = [];
  const all: Result[] = [];
  for (const group of GROUPS) {
    const entries = [{ subject: HELLO, workload: FRAMEWORK }, ...group.flatMap(toEntries)];
    const results = await measureGroup(entries, settings);
    all.push(...results);
    const hello = findSamples(results, ({ entry }) => entry.subject === HELLO);
    for (const subject of group) {
      const of = (name: string): Result | undefined =>
        results.find(({ entry }) => entry.subject === subject && entry.workload.name === name);
      const samples = of(COUNTER.name)?.samples ?? [];
      const counter = toFigure(samples);
      const read = toFigure(of(READ.name)?.samples ?? []);
      const bare = toFigure(of(FRAMEWORK.name)?.samples ?? []);
      const ratio = findRatio(samples, hello);
      rows.push([
        toLabel(subject),
        STORAGE_TITLES[subject.storage],
        formatNumber(counter.lowest),
        formatNumber(counter.median),
        `${formatNumber(ratio.median)} (${formatNumber(ratio.lowest)}–${formatNumber(ratio.highest)})`,
        formatNumber(read.lowest),
        formatNumber(bare.lowest),
        describeLoss(of(TABS.name)),
      ]);
      if (!Number.isNaN(counter.lowest)) {
        bars.push({
          label: toLabel(subject),
          group: STORAGE_TITLES[subject.storage],
          value: counter.lowest,
          part: Math.min(bare.lowest, counter.lowest),
          isOurs: subject.isOurs === true,
        });
      }
    }
    for (const { entry, findings, failure: reason } of results) {
      if (reason !== undefined) notes.push(`Not measured: ${describe(entry)}. ${reason}`);
      faults.push(...findings.faults.map((fault) => `${describe(entry)}: ${fault}`));
      if (entry.workload === COUNTER && findings.lost > 0) {
        const lost = `${(100 * findings.lost).toFixed(2)} %`;
        notes.push(
          `${describe(entry)}: ${lost} of the updates were lost, without two tabs, because loads end with requests in flight.`,
        );
      }
    }
  }
  await Bun.write(join(plots, "peers.svg"), drawBars(bars));
  return {
    title: "Beside other libraries",
    text: [
      "One counter page on each library, configured as its documentation recommends for production: see `bench/peers` and `bench/servers`. " +
        "*Counter* reads and writes the session, *read* only reads it, *framework* is a page without a session for a visitor without a cookie. " +
        "*Lost* is the share of updates that were lost when two tabs of one session counted concurrently, each under its own key. " +
        "A session in a cookie cannot be ended from the server, and holds 4 KB.",
      "![CPU time of a counter beside other libraries](plots/peers.svg)",
      toTable(
        ["", "sessions in", "counter, µs", "median", "× bare", "read, µs", "framework, µs", "lost"],
        rows,
      ),
      ...(notes.length === 0 ? [] : [notes.map((note) => `- ${note}`).join("\n")]),
      "Targets, as ratios within each round:",
      toTable(["", "at most", "measured", ""], toTargets(all)),
    ].join("\n\n"),
    faults,
  };
}

function toLabel({ name, runtime, program }: Subject): string {
  const isNodeProgram = ["express", "fastify", "koa"].some((each) => program.includes(each));
  if (!isNodeProgram) return name;
  return `${name} (${runtime === "node" ? "Node" : "Bun"})`;
}

function describeLoss(result: Result | undefined): string {
  if (result === undefined || result.samples.length === 0) return "";
  const { lost } = result.findings;
  return lost > 0 ? `${(100 * lost).toFixed(lost < 0.1 ? 1 : 0)} %` : "none";
}

/** The target for a ratio. */
interface Target {
  readonly title: string;
  readonly most: number;
  readonly of: (result: Result) => boolean;
  readonly than: (result: Result) => boolean;
}

function isWork(name: string, storage: Storage, workload: string): (result: Result) => boolean {
  return ({ entry: { subject, workload: work } }) =>
    subject.name === name && subject.storage === storage && work.name === workload;
}

const TARGETS: readonly Target[] = [
  {
    title: "counter, memory: Bunpie / Elysia with a Map by hand",
    most: 1,
    of: isWork("Bunpie", "memory", "counter"),
    than: isWork(ELYSIA_MAP, "memory", "counter"),
  },
  {
    title: "counter, memory: Bunpie / hono-sessions",
    most: 0.45,
    of: isWork("Bunpie", "memory", "counter"),
    than: isWork("hono-sessions", "memory", "counter"),
  },
  {
    title: "counter, SQLite: Bunpie / raw bun:sqlite",
    most: 0.5,
    of: isWork("Bunpie", "normal", "counter"),
    than: isWork(RAW_SQLITE, "normal", "counter"),
  },
  {
    title: "counter, SQLite, FULL: Bunpie / raw bun:sqlite",
    most: 0.25,
    of: isWork("Bunpie", "full", "counter"),
    than: isWork(RAW_SQLITE, "full", "counter"),
  },
  {
    title: "page that reads, SQLite: Bunpie / raw counter",
    most: 0.4,
    of: isWork("Bunpie", "normal", "read"),
    than: isWork(RAW_SQLITE, "normal", "counter"),
  },
];

function toTargets(results: readonly Result[]): string[][] {
  return TARGETS.map(({ title, most, of, than }) => {
    const ratio = findRatio(findSamples(results, of), findSamples(results, than));
    const verdict = Number.isNaN(ratio.median)
      ? "not measured"
      : ratio.median <= most
        ? "met"
        : "missed";
    const range = `${formatNumber(ratio.median)} (${formatNumber(ratio.lowest)}–${formatNumber(ratio.highest)})`;
    return [title, formatNumber(most), range, verdict];
  });
}
