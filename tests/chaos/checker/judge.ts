import type { Exchange, History, Promises } from "./history.ts";
import { KEYS } from "./history.ts";
import type { Lineage } from "./lineage.ts";
import { Lineages, mayEnd, mayRenew } from "./lineage.ts";

/** What did not hold. */
export const FAULTS = [
  "an acknowledged update is lost",
  "an update was counted twice, or later than it was refused",
  "two updates were told the same count",
  "an acknowledged write is lost",
  "a value was never written there, or not yet",
  "an ended session is alive",
  "a superseded id is alive",
  "somebody else's session",
  "an acknowledged login is lost",
  "a session vanished",
  "an answer that is neither a page nor a 503",
] as const;
export type FaultKind = (typeof FAULTS)[number];

/** A fault, and the requests that show it: the last one saw it. */
interface Violation {
  readonly kind: FaultKind;
  readonly text: string;
  readonly history: History;
}

/** The judgement. */
export interface Verdict {
  readonly violations: readonly Violation[];
  /** How many updates were acknowledged, and after how many of them somebody has looked at the session. */
  readonly acknowledged: number;
  readonly lookedFor: number;
}

/** How many requests of the session's history are shown with a violation. */
const SHOWN = 40;

/** Finds everything in the history that no well-behaved service could have done. */
export function judge(history: History, promises: Promises): Verdict {
  const lineages = new Lineages(history, promises);
  const violations: Violation[] = [];
  const report = (kind: FaultKind, text: string, seen: Exchange, lineage?: Lineage): void => {
    const others = new Set([...(lineage?.exchanges ?? []), ...(lineage?.attempts ?? [])]);
    const before = [...others]
      .filter((each) => each !== seen && each.start <= seen.end)
      .toSorted((one, other) => one.start - other.start);
    violations.push({ kind, text, history: [...before.slice(-SHOWN), seen] });
  };

  for (const exchange of history) {
    if (exchange.outcome === "odd") {
      report("an answer that is neither a page nor a 503", exchange.detail, exchange);
    }
    checkWhose(exchange, lineages.find(exchange.cookie), report);
  }
  for (const lineage of lineages.all) {
    checkLiveness(lineage, report);
    checkCounter(lineage, report);
    for (const key of KEYS) checkKey(lineage, key, report);
  }
  const counts = lineages.all.map(countLookedFor);
  return {
    violations,
    acknowledged: counts.reduce((sum, { acknowledged }) => sum + acknowledged, 0),
    lookedFor: counts.reduce((sum, { lookedFor }) => sum + lookedFor, 0),
  };
}

/** What is never looked for is never missed. */
function countLookedFor(lineage: Lineage): Pick<Verdict, "acknowledged" | "lookedFor"> {
  const kept = lineage.adds.filter(({ answer }) => answer !== null);
  const last = lineage.sightings.findLast(({ answer }) => answer?.nonce === lineage.nonce);
  const lookedFor = kept.filter(({ end }) => end < (last?.start ?? 0)).length;
  return { acknowledged: kept.length, lookedFor };
}

type Report = (kind: FaultKind, text: string, seen: Exchange, lineage?: Lineage) => void;

function checkWhose(exchange: Exchange, lineage: Lineage | undefined, report: Report): void {
  const { answer, cookie } = exchange;
  if (answer === null || answer.nonce === null) return;
  const text = `cookie ${cookie} shows ${answer.nonce} of ${answer.owner}, account ${answer.user}`;
  if (
    lineage === undefined ||
    answer.nonce !== lineage.nonce ||
    answer.owner !== lineage.device ||
    (answer.user !== null && answer.user !== lineage.account)
  ) {
    report("somebody else's session", text, exchange, lineage);
    return;
  }
  const login = lineage.logins.find(({ end }) => end < exchange.start);
  if (login !== undefined && answer.user === null) {
    report("an acknowledged login is lost", `login ${login.id}, then anonymous`, exchange, lineage);
  }
}

/** Whether old cookies open nothing, and the present one opens the session. */
function checkLiveness(lineage: Lineage, report: Report): void {
  const lastSeen = new Map<string, Exchange>();
  for (const exchange of lineage.sightings) {
    const { cookie, answer, start } = exchange;
    const issue = cookie === null ? undefined : lineage.issues.get(cookie);
    if (cookie === null || answer === null || issue === undefined) continue;
    if (answer.nonce === null) {
      checkAbsence(lineage, issue, lastSeen.get(cookie), exchange, report);
      continue;
    }
    const end = lineage.ends.find((each) => each.end < start);
    if (end !== undefined) {
      report("an ended session is alive", `after ${end.page} ${end.id}`, exchange, lineage);
    }
    const renewal = lineage.renewals.find(
      (each) => each.end < start && each.issued !== cookie && issue.end < each.start,
    );
    if (renewal !== undefined) {
      const text = `after ${renewal.page} ${renewal.id}, which answered with another`;
      report("a superseded id is alive", text, exchange, lineage);
    }
    const last = lastSeen.get(cookie);
    if (last === undefined || last.start < start) lastSeen.set(cookie, exchange);
  }
}

/** Nothing may be gone for which nobody has asked. */
function checkAbsence(
  lineage: Lineage,
  issue: Exchange,
  lastSeen: Exchange | undefined,
  exchange: Exchange,
  report: Report,
): void {
  if (issue.end >= exchange.start) return;
  const known = lastSeen !== undefined && lastSeen.end < exchange.start ? lastSeen : issue;
  const since = Math.max(issue.start, known.start);
  const isAskedFor = lineage.attempts.some(
    (each) =>
      each.id !== issue.id &&
      each.id !== exchange.id &&
      each.start < exchange.end &&
      lineage.latest(each) > since &&
      (mayRenew(each) || mayEnd(each, lineage)),
  );
  if (isAskedFor) return;
  const text = `opened by ${known.id}, and nobody has ended it since`;
  report("a session vanished", text, exchange, lineage);
}

/** The counter lies between what was acknowledged and what was attempted, over any stretch of time. */
function checkCounter(lineage: Lineage, report: Report): void {
  const attempted = lineage.adds;
  const kept = attempted.filter(({ answer }) => answer !== null);
  const begun = sorted(attempted.map(({ start }) => start));
  const over = sorted(attempted.map((each) => lineage.latest(each)));
  const keptBegun = sorted(kept.map(({ start }) => start));
  const keptOver = sorted(kept.map(({ end }) => end));

  const told = new Map<number, Exchange>();
  for (const add of kept) {
    const count = add.answer?.counted ?? 0;
    const other = told.get(count);
    if (other !== undefined) {
      const text = `updates ${other.id} and ${add.id} were both told ${count}`;
      report("two updates were told the same count", text, add, lineage);
    }
    told.set(count, add);
  }

  const seen = lineage.sightings.filter(({ answer }) => answer?.nonce === lineage.nonce);
  const byEnd = seen.toSorted((one, other) => one.end - other.end);
  let next = 0;
  let before: Exchange | undefined;
  for (const exchange of seen) {
    while ((byEnd[next]?.end ?? Infinity) < exchange.start) before = byEnd[next++];
    const { start, end } = exchange;
    const count = exchange.answer?.count ?? 0;
    const base = before?.answer?.count ?? 0;
    const from = before ?? { start: -Infinity, end: -Infinity };
    // Acknowledged, and wholly between the two looks.
    const least = base + Math.max(0, countBelow(keptOver, start) - countUpTo(keptBegun, from.end));
    const most = base + countBelow(begun, end) - countUpTo(over, from.start);
    const acknowledged = countBelow(keptOver, start);
    const text = `${count}; ${acknowledged} were acknowledged, ${countBelow(begun, end)} attempted; it was ${base} in ${before?.id ?? "the beginning"}`;
    if (count < Math.max(least, acknowledged)) {
      report("an acknowledged update is lost", text, exchange, lineage);
    } else if (count > most) {
      report("an update was counted twice, or later than it was refused", text, exchange, lineage);
    }
  }
}

/** Each look shows a value that no acknowledged later write had replaced by then. */
function checkKey(lineage: Lineage, key: string, report: Report): void {
  const writes = new Map<string, Exchange>();
  for (const write of lineage.writes) {
    if (write.key === key && write.value !== undefined) writes.set(write.value, write);
  }
  const kept = lineage.writes
    .filter((write) => write.key === key && lineage.isKept(write))
    .toSorted((one, other) => one.end - other.end);
  // The latest beginning of all that had ended by then.
  const ends = kept.map(({ end }) => end);
  const latest: Exchange[] = [];
  for (const write of kept) {
    const last = latest.at(-1);
    latest.push(last === undefined || write.start > last.start ? write : last);
  }
  for (const exchange of lineage.sightings) {
    if (exchange.answer?.nonce !== lineage.nonce) continue;
    const value = exchange.answer.values[key];
    const last = latest[countBelow(ends, exchange.start) - 1];
    const write = value === undefined ? undefined : writes.get(value);
    if (value !== undefined && (write === undefined || write.start > exchange.end)) {
      report(
        "a value was never written there, or not yet",
        `${key} is ${value}`,
        exchange,
        lineage,
      );
    } else if (last !== undefined && (write === undefined || lineage.latest(write) < last.start)) {
      const text = `${key} is ${value ?? "missing"} after ${last.page} ${last.id} of ${last.value}`;
      report("an acknowledged write is lost", text, exchange, lineage);
    }
  }
}

function sorted(times: readonly number[]): Float64Array {
  return Float64Array.from(times).toSorted();
}

function countBelow(times: ArrayLike<number>, limit: number): number {
  return search(times, (time) => time < limit);
}

function countUpTo(times: ArrayLike<number>, limit: number): number {
  return search(times, (time) => time <= limit);
}

/** How many of the sorted times, from the first on, are so. */
function search(times: ArrayLike<number>, condition: (time: number) => boolean): number {
  let [low, high] = [0, times.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (condition(times[middle] ?? 0)) low = middle + 1;
    else high = middle;
  }
  return low;
}
