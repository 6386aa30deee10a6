import { beforeEach, describe, expect, setDefaultTimeout, test } from "bun:test";

import { PostgresSessionBackend } from "../../../src/backends/postgres/backend.ts";
import { makeRecord, randomId } from "../../../src/testing/records.ts";
import { becomesTrue } from "../../../src/testing/until.ts";
import { freePort } from "../../support/processes/free-port.ts";
import { patient, postgres, Schema } from "../../support/servers/postgres.ts";
import { closeAfterEach } from "../opened.ts";

const TIMEOUT = 60_000;
setDefaultTimeout(TIMEOUT + 10_000);

describe.skipIf(!postgres.isThere)("PostgresSessionBackend.watchEnds", () => {
  let schema: Schema;
  const closing = closeAfterEach(() => schema.drop());

  beforeEach(async () => {
    schema = await Schema.create();
  });

  function open(
    ...[source, options]: ConstructorParameters<typeof PostgresSessionBackend>
  ): PostgresSessionBackend {
    return closing(new PostgresSessionBackend(source, { ...patient(source), ...options }));
  }

  /** How many connections listen, of those that were opened by the schema's URL. */
  async function countListeners(): Promise<number> {
    const rows = await schema.sql`
      SELECT 1 FROM pg_stat_activity
      WHERE starts_with(application_name, ${schema.name}) AND query ILIKE 'LISTEN%'`;
    return rows.length;
  }

  test.each([
    ["a URL", () => schema.url],
    ["a pool of the app's", () => new Bun.SQL(schema.url, { max: 1 })],
  ] as const)(
    "listens on a connection of its own, given %s, and releases it",
    async (_, source) => {
      const given = source();
      const backend = open(given);
      const told = new Set<string>();
      const stop = await backend.watchEnds((ids = []) => ids.forEach((id) => told.add(id)));
      expect(await countListeners()).toBe(1);
      const id = randomId();
      await backend.create(id, makeRecord());
      await backend.delete(id);
      expect(await becomesTrue(TIMEOUT, async () => told.has(id))).toBe(true);
      await stop?.();
      expect(await becomesTrue(TIMEOUT, async () => (await countListeners()) === 0)).toBe(true);
      // The app's pool stays open.
      expect(await backend.read(id)).toBeUndefined();
      if (typeof given !== "string") await given.close();
    },
  );

  test("I7: notifies of each session by the hash of its id and nothing else, however many", async () => {
    const backend = open(schema.url);
    const told: string[] = [];
    const stop = await schema.sql.listen("bunpie_sessions", (payload) => told.push(payload));
    const ids = Array.from({ length: 300 }, randomId);
    await Promise.all(ids.map((id) => backend.create(id, makeRecord({ userId: "Ann" }))));
    // In one statement, more than a single notice could hold.
    await backend.deleteAll("Ann", undefined, 300);
    const theirs = (): string[] => told.filter((id) => ids.includes(id));
    expect(await becomesTrue(TIMEOUT, async () => theirs().length === ids.length)).toBe(true);
    expect(theirs().toSorted()).toEqual(ids.toSorted());
    await stop.unlisten();
  });

  test("does not listen through a pooler, which would pass the connection on", async () => {
    expect(await open(schema.url, { pooler: true }).watchEnds(() => undefined)).toBeUndefined();
  });

  test("fails if there is no server, and once the backend is closed", async () => {
    const nowhere = open(`postgres://postgres@127.0.0.1:${await freePort()}/test`);
    expect((async () => nowhere.watchEnds(() => undefined))()).rejects.toThrow();
    const backend = open(schema.url);
    await backend.close();
    expect(() => backend.watchEnds(() => undefined)).toThrow("The session database is closed.");
  });
});
