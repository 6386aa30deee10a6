import { expect } from "bun:test";

import * as fc from "fast-check";

import type { SessionData } from "../../src/store/backend.ts";
import type { ForwardingNote, SessionInfo, SessionRecord } from "../../src/store/record.ts";
import { isNote, NEW_RECORD, NOTE_LIFETIME, toInfo } from "../../src/store/record.ts";
import type { SessionStore } from "../../src/store/session-store.ts";
import { randomId } from "../../src/testing/records.ts";
import type { FakeClock } from "../support/clock.ts";

const HOUR = 60 * 60 * 1000;

/** A store that is to do what {@link SessionStore} says, whatever it is asked, one after the other. */
export interface StoreOnTrial {
  /** Nobody else's, and empty. What a sequence leaves behind is deleted after it. */
  readonly store: SessionStore;
  /** The store's clock. Without one the time is real, as on a server; nothing waits for it to pass. */
  readonly clock?: FakeClock;
  /** Made of two methods: it knows no users, leaves sweeping to its backend, and keeps no text. */
  readonly isPair?: boolean;
  /** Whether `sweep` removes what has expired, as by default; otherwise the server does, later. */
  readonly isSwept?: boolean;
}

/** How many sequences, and where they begin. */
type Runs = Pick<fc.Parameters, "numRuns" | "seed">;

/**
 * Asks a store random sequences of everything that it can be asked. Each answer is compared with a
 * model's, and so is what is stored in the end.
 */
export async function checkStoreSequences(trial: StoreOnTrial, runs: Runs): Promise<void> {
  const sequences = fc.commands(makeCommands(trial), { maxCommands: 50, size: "max" });
  const property = fc.asyncProperty(sequences, async (commands) => {
    const model = new StoreModel(trial);
    try {
      await fc.asyncModelRun(() => ({ model, real: trial.store }), commands);
      await model.checkAll();
    } finally {
      await model.clear();
    }
  });
  await fc.assert(property, runs);
}

/** What the model can be asked about, as the store is. */
type Question = Exclude<keyof StoreModel, "checkAll" | "clear">;

/** One question to the store, and how it reads when it fails. */
class Command implements fc.AsyncCommand<StoreModel, SessionStore> {
  readonly #operation: Question;
  readonly #args: readonly unknown[];

  constructor(operation: Question, args: readonly unknown[]) {
    this.#operation = operation;
    this.#args = args;
  }

  check(): boolean {
    return true;
  }

  async run(model: StoreModel): Promise<void> {
    await Reflect.apply(model[this.#operation], model, this.#args);
  }

  toString(): string {
    return `${this.#operation}(${this.#args.map((arg) => JSON.stringify(arg)).join(", ")})`;
  }
}

const NAMES = ["a", "b", "c", "d", "e"] as const;
const USERS = ["Ann'; --", "Бен 🙂"] as const;

type Name = (typeof NAMES)[number];

/** What goes into a record. Times are told from the present one, in milliseconds. */
interface Draft {
  readonly data: string;
  readonly flash: string | null;
  readonly user: string | null;
  readonly age: number;
  readonly life: number;
  readonly authenticatedAt: number | null;
  readonly remember: number | null;
  readonly label: string | null;
}

const data: fc.Arbitrary<SessionData> = fc.dictionary(
  // `$` is where a backend of two methods has the session's own facts.
  fc.oneof(
    fc.string().filter((key) => key !== "$"),
    fc.constantFrom("__proto__", "constructor", "visits", "0"),
  ),
  fc.jsonValue({ maxDepth: 1 }),
  { maxKeys: 3 },
);
const json = data.map((each) => JSON.stringify(each));
const name = fc.constantFrom(...NAMES);
const user = fc.constantFrom(...USERS);
const most = fc.constantFrom(1, 2, 100);
const isRight = fc.oneof(
  { weight: 4, arbitrary: fc.constant(true) },
  { weight: 1, arbitrary: fc.constant(false) },
);

/** How long a record is to live. Real time cannot be waited for, so there it is over or far away. */
function chooseLife(clock: FakeClock | undefined): fc.Arbitrary<number> {
  const few = fc.constantFrom(-HOUR, HOUR, HOUR, HOUR);
  return clock === undefined ? few : fc.oneof(few, fc.integer({ min: -10, max: HOUR }));
}

function makeCommands({ clock, isPair = false }: StoreOnTrial): fc.Arbitrary<Command>[] {
  const life = chooseLife(clock);
  const draft: fc.Arbitrary<Draft> = fc.record({
    data: json,
    flash: fc.option(json),
    user: fc.option(user),
    age: fc.nat(HOUR),
    life,
    authenticatedAt: fc.option(fc.nat()),
    remember: fc.option(fc.nat()),
    label: fc.option(fc.string()),
  });
  const command = <Asked extends Question, Args extends Parameters<StoreModel[Asked]>>(
    operation: Asked,
    ...args: { [Index in keyof Args]: fc.Arbitrary<Args[Index]> }
  ): fc.Arbitrary<Command> => fc.tuple(...args).map((given) => new Command(operation, given));
  const ofAll = [
    command("create", name, draft),
    command("replace", name, draft, isRight),
    command("rotate", name, name, draft, isRight),
    command("touch", name, life),
    command("delete", name),
    command("check", name),
    command("load", name),
    command("save", name, data, fc.constantFrom(0, 60, 3600)),
  ];
  const ofStores = [
    command("list", user, most),
    command("deleteAll", user, fc.option(name), most),
    command("sweep", fc.nat(4)),
  ];
  const ofClocks = [
    command("wait", fc.nat(HOUR)),
    command("waitFor", name, fc.integer({ min: -1, max: 1 })),
  ];
  return [...ofAll, ...(isPair ? [] : ofStores), ...(clock === undefined ? [] : ofClocks)];
}

/** What the store has to hold, by name, and everything that is asked of both. */
class StoreModel {
  readonly #trial: StoreOnTrial;
  readonly #store: SessionStore;
  /** Expired records stay here: whether they are still there is the store's affair. */
  readonly #records = new Map<Name, SessionRecord>();
  readonly #notes = new Map<Name, { readonly by: Name; readonly expiresAt: number }>();
  /** Other sequences have left, and others will. */
  readonly #ids = new Map<string, string>();

  constructor(trial: StoreOnTrial) {
    this.#trial = trial;
    this.#store = trial.store;
  }

  async create(to: Name, draft: Draft): Promise<void> {
    const record = this.#toRecord(draft, 1);
    const isFree = this.#isFree(to);
    expect(await this.#store.create(this.#findId(to), record)).toBe(isFree);
    if (isFree) this.#put(to, record);
  }

  async replace(at: Name, draft: Draft, right: boolean): Promise<void> {
    const { version, isThere } = this.#pickVersion(at, right);
    const record = this.#toRecord(draft, version + 1);
    const old = this.#makeOld(at, version);
    expect(await this.#store.replace(this.#findId(at), record, old)).toBe(isThere);
    if (isThere) this.#put(at, record);
  }

  async rotate(from: Name, to: Name, draft: Draft, right: boolean): Promise<void> {
    const { version, isThere } = this.#pickVersion(from, right);
    const record = this.#toRecord(draft, version + 1);
    const isDone = isThere && this.#isFree(to);
    const [oldId, newId] = [this.#findId(from), this.#findId(to)];
    const old = this.#makeOld(from, version);
    expect(await this.#store.rotate(oldId, newId, record, old)).toBe(isDone);
    if (!isDone) return;
    this.#records.delete(from);
    this.#notes.set(from, { by: to, expiresAt: this.#now() + NOTE_LIFETIME });
    this.#put(to, record);
  }

  async touch(at: Name, life: number): Promise<void> {
    const found = this.#live(at);
    const now = this.#now();
    const expiresAt = now + life;
    expect(await this.#store.touch(this.#findId(at), expiresAt)).toBe(found !== undefined);
    if (found === undefined) return;
    const touched = { ...found, touchedAt: now, expiresAt, version: found.version + 1 };
    await this.#learn(at, touched);
  }

  async delete(at: Name): Promise<void> {
    const note = this.#notes.get(at);
    const next = await this.#store.delete(this.#findId(at));
    // Of a note that has expired a store may still say where it leads.
    if (next !== undefined || this.#note(at) !== undefined) {
      expect(next).toBe(note === undefined ? undefined : this.#findId(note.by));
    }
    this.#forget(at);
  }

  async load(at: Name): Promise<void> {
    const { data: text = "{}" } = this.#live(at) ?? {};
    const loaded = await this.#store.load(this.#findId(at));
    expect(JSON.stringify(loaded)).toBe(JSON.stringify(JSON.parse(text)));
  }

  async save(at: Name, contents: SessionData, timeout: number): Promise<void> {
    const now = this.#now();
    const found = this.#live(at);
    await this.#store.save(this.#findId(at), contents, timeout);
    if (timeout === 0 || Object.keys(contents).length === 0) {
      this.#forget(at);
      return;
    }
    const old = found ?? { ...NEW_RECORD, createdAt: now, version: 0 };
    const times = { touchedAt: now, expiresAt: now + timeout * 1000 };
    const saved = { ...old, ...times, data: JSON.stringify(contents), version: old.version + 1 };
    await this.#learn(at, saved);
  }

  /** Which of those that were touched at one time come first is for the store to say. */
  async list(of: string, limit: number): Promise<void> {
    const userId = this.#findId(of);
    const found = await this.#store.list(userId, limit);
    const expected = this.#findSessions(userId).map(([at, record]) =>
      toInfo(this.#findId(at), userId, record),
    );
    expect(found).toHaveLength(Math.min(limit, expected.length));
    const all = new Map(expected.map((info) => [info.handle, info]));
    for (const info of found) expect<SessionInfo | undefined>(all.get(info.handle)).toEqual(info);
    const times = expected.map(({ touchedAt }) => touchedAt).toSorted((one, other) => other - one);
    expect(found.map(({ touchedAt }) => touchedAt)).toEqual(times.slice(0, limit));
  }

  /** What has expired may be among those that it removes, or be gone already. */
  async deleteAll(of: string, except: Name | null, limit: number): Promise<void> {
    const userId = this.#findId(of);
    const exceptId = except === null ? undefined : this.#findId(except);
    const names = NAMES.filter((at) => at !== except && this.#records.get(at)?.userId === userId);
    const removed = await this.#store.deleteAll(userId, exceptId, limit);
    const ids = new Set(names.map((at) => this.#findId(at)));
    expect(removed.filter((id) => !ids.has(id))).toEqual([]);
    expect(new Set(removed).size).toBe(removed.length);
    expect(removed.length).toBeLessThanOrEqual(limit);
    for (const at of names) if (removed.includes(this.#findId(at))) this.#forget(at);
    const left = this.#findSessions(userId).filter(([at]) => at !== except);
    if (removed.length === 0) expect(left).toEqual([]);
  }

  /** Of what has expired, so many are removed as there still are; a store may have been faster. */
  async sweep(limit: number): Promise<void> {
    const before = await this.#countExpired();
    const removable = this.#trial.isSwept === false ? 0 : limit;
    expect(await this.#store.sweep(limit)).toBe(Math.min(before, removable));
    expect(await this.#countExpired()).toBe(Math.max(before - removable, 0));
    await this.checkAll();
  }

  wait(time: number): void {
    this.#trial.clock?.advance(time);
  }

  async waitFor(end: Name, off: number): Promise<void> {
    const row = this.#records.get(end) ?? this.#notes.get(end);
    const { expiresAt } = row ?? { expiresAt: 0 };
    this.wait(Math.max(0, expiresAt + off - this.#now()));
  }

  /** What is stored under the name, as far as it is live. */
  async check(at: Name): Promise<void> {
    const note = this.#note(at);
    const found = await this.#store.read(this.#findId(at));
    if (note !== undefined) {
      const isExact = this.#trial.clock !== undefined;
      const expiresAt: unknown = isExact ? note.expiresAt : expect.any(Number);
      expect<unknown>(found).toEqual({ supersededBy: this.#findId(note.by), expiresAt });
      return;
    }
    expect(this.#shown(ifLive(found, this.#now()))).toEqual(this.#shown(this.#live(at)));
  }

  async checkAll(): Promise<void> {
    for (const each of NAMES) await this.check(each);
    if (this.#trial.isPair !== true) for (const each of USERS) await this.list(each, 100);
  }

  async clear(): Promise<void> {
    for (const each of NAMES) await this.#store.delete(this.#findId(each));
  }

  #now(): number {
    return this.#trial.clock?.now() ?? Date.now();
  }

  #findId(key: string): string {
    const id = this.#ids.get(key) ?? randomId();
    this.#ids.set(key, id);
    return id;
  }

  #toRecord({ user: of, age, life, ...facts }: Draft, version: number): SessionRecord {
    const now = this.#now();
    const times = { createdAt: now - age, touchedAt: now, expiresAt: now + life };
    return { ...facts, ...times, userId: of === null ? null : this.#findId(of), version };
  }

  /** What is to be replaced: of it only the version counts. */
  #makeOld(at: Name, version: number): SessionRecord {
    const now = this.#now();
    const times = { createdAt: now, touchedAt: now, expiresAt: now + HOUR };
    return { ...NEW_RECORD, ...times, data: "{}", ...this.#records.get(at), version };
  }

  #put(at: Name, record: SessionRecord): void {
    this.#notes.delete(at);
    this.#records.set(at, record);
  }

  #forget(at: Name): void {
    this.#notes.delete(at);
    this.#records.delete(at);
  }

  #isFree(at: Name): boolean {
    return this.#live(at) === undefined && this.#note(at) === undefined;
  }

  #note(at: Name): { readonly by: Name; readonly expiresAt: number } | undefined {
    const note = this.#notes.get(at);
    return note === undefined || note.expiresAt <= this.#now() ? undefined : note;
  }

  #live(at: Name): SessionRecord | undefined {
    return ifLive(this.#records.get(at), this.#now());
  }

  #findSessions(userId: string): [Name, SessionRecord][] {
    return [...this.#records].filter(
      ([at, record]) => record.userId === userId && this.#live(at) !== undefined,
    );
  }

  #pickVersion(at: Name, right: boolean): { version: number; isThere: boolean } {
    const { version = 1 } = this.#records.get(at) ?? {};
    const isThere = right && this.#live(at) !== undefined;
    return { version: right ? version : version + 1, isThere };
  }

  /** What a reader may rely on. */
  async #read(at: Name): Promise<SessionRecord | undefined> {
    return ifLive(await this.#store.read(this.#findId(at)), this.#now());
  }

  async #countExpired(): Promise<number> {
    const found = await Promise.all(NAMES.map((each) => this.#store.read(this.#findId(each))));
    return found.filter((each) => each !== undefined && each.expiresAt <= this.#now()).length;
  }

  /** A record whose times the store has set by itself; where time is real, a little has passed. */
  async #learn(at: Name, expected: SessionRecord): Promise<void> {
    const found = this.#trial.clock === undefined ? await this.#read(at) : undefined;
    const times = found === undefined ? {} : timesNear(expected, found, this.#now());
    this.#put(at, { ...expected, ...times });
    await this.check(at);
  }

  #shown(record: SessionRecord | undefined): SessionRecord | undefined {
    if (record === undefined || this.#trial.isPair !== true) return record;
    return { ...record, data: JSON.stringify(JSON.parse(record.data)) };
  }
}

function ifLive(
  found: SessionRecord | ForwardingNote | undefined,
  now: number,
): SessionRecord | undefined {
  return found === undefined || isNote(found) || found.expiresAt <= now ? undefined : found;
}

/** The times that were found, as long as they differ from the expected ones by what has passed since. */
function timesNear(
  expected: SessionRecord,
  found: SessionRecord,
  now: number,
): Partial<SessionRecord> {
  const passed = now - expected.touchedAt;
  const names = ["createdAt", "touchedAt", "expiresAt"] as const;
  const near = names.filter(
    (each) => found[each] >= expected[each] && found[each] <= expected[each] + passed,
  );
  return Object.fromEntries(near.map((each) => [each, found[each]]));
}
