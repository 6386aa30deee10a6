import { expect } from "bun:test";

import { RedisSessionBackend } from "../../src/backends/redis/backend.ts";
import { Sessions } from "../../src/http/sessions.ts";
import type { SessionEvent } from "../../src/session/events.ts";
import { hashId } from "../../src/session/id.ts";
import type { SessionStore } from "../../src/store/session-store.ts";
import { makeExpiredRecord, makeRecord } from "../../src/testing/records.ts";
import { quiet } from "../support/quiet.ts";
import type { Page } from "../support/visitor.ts";
import { Visitor } from "../support/visitor.ts";

const write: Page = (session) => (session["visits"] = 1);

const logIn: Page = (session) => {
  session["secret"] = "the data";
  session.login("Ann");
};

/** Two backends at different places of one server or file share nothing. */
export async function expectApart(one: SessionStore, other: SessionStore): Promise<void> {
  const record = makeRecord({ userId: "Ann" });
  expect(await one.create("id", record)).toBe(true);
  expect(await other.read("id")).toBeUndefined();
  expect(await other.create("id", record)).toBe(true);
  expect(await one.rotate("id", "new", { ...record, version: 2 }, record)).toBe(true);
  expect(await one.touch("new", record.expiresAt)).toBe(true);
  await one.create("expired", makeExpiredRecord());
  expect(await other.sweep(9)).toBe(0);
  expect(await other.deleteAll("Ann", undefined, 9)).toEqual(["id"]);
  expect(await one.list("Ann", 9)).toMatchObject([{ handle: "new" }]);
  expect(await one.delete("id")).toBe("new");
  // Redis removes by itself what has expired.
  expect(await one.sweep(9)).toBe(one instanceof RedisSessionBackend ? 0 : 1);
  expect(await one.deleteAll("Ann", undefined, 9)).toEqual(["new"]);
}

/** A replace of nothing but contents leaves the other columns: `UPDATE` puts 5 into `created_at`. */
export async function expectContentsAlone(
  store: SessionStore,
  change: (statement: string) => unknown,
): Promise<void> {
  const old = makeRecord();
  const fresh = { ...old, data: "{}", flash: "{}", version: 2 };
  await store.create("id", old);
  await change("UPDATE bunpie_sessions SET created_at = 5");
  expect(await store.replace("id", fresh, old)).toBe(true);
  expect(await store.read("id")).toEqual({ ...fresh, createdAt: 5 });
  expect(await store.replace("id", { ...fresh, label: "phone", version: 3 }, fresh)).toBe(true);
  expect(await store.read("id")).toEqual({ ...fresh, label: "phone", version: 3 });
}

/** What was damaged under its key is no session, and an event, never an error. */
export async function expectLeftOut(
  backend: SessionStore,
  damage: (key: string) => unknown,
): Promise<void> {
  const events: SessionEvent[] = [];
  const onEvent = (event: SessionEvent): void => void events.push(event);
  const visitor = new Visitor(new Sessions({ backend, sweepInterval: 0, onEvent }));
  await visitor.visit(write);
  const { id } = visitor;
  await damage(hashId(id));
  events.length = 0;
  expect(await visitor.look()).toEqual({});
  expect(events).toMatchObject([{ type: "failed", operation: "decode" }]);
  await visitor.visit(write);
  expect(visitor.id).not.toBe(id);
  expect(await visitor.look()).toEqual({ visits: 1 });
}

/**
 * What the log, the events and the answers tell of requests that fail, each after one of `faults`: neither
 * an id nor a session's data.
 */
export async function tellFailures(
  backend: SessionStore,
  faults: readonly (() => unknown)[],
): Promise<string> {
  using log = quiet("error");
  const events: unknown[] = [];
  const answers: unknown[] = [];
  const onEvent = (event: SessionEvent): void => void events.push(event);
  const sessions = new Sessions({ backend, sweepInterval: 0, onEvent });
  const visitor = new Visitor(sessions);
  await visitor.visit(logIn);
  for (const fault of faults) {
    await fault();
    const answer = await visitor.visit(logIn);
    answers.push([...answer.headers], await answer.text());
  }
  const told = Bun.inspect([log.mock.calls, events, answers], { depth: 20 });
  expect(sessions.stats().failed).toBe(faults.length);
  for (const secret of [visitor.id, "the data"]) expect(told).not.toContain(secret);
  return told;
}
