import { describe, expect, test } from "bun:test";

import { PostgresSessionBackend } from "../../../src/backends/postgres/backend.ts";
import { makeRecord } from "../../../src/testing/records.ts";
import { Child } from "../../support/processes/child.ts";
import { PATIENT, postgres, Schema } from "../../support/servers/postgres.ts";

describe.skipIf(!postgres.isThere)("two processes on one PostgreSQL database", () => {
  test("share a sweep: each row is removed by one of them, and counted once", async () => {
    const EXPIRED = 5000;
    await using schema = await Schema.create();
    const backend = new PostgresSessionBackend(schema.url, { ...PATIENT, connections: 1 });
    await backend.create("live", makeRecord());
    await backend.close();
    await schema.sql`
      INSERT INTO bunpie_sessions SELECT n::text, '{}', NULL, 1, 1, 1, n FROM generate_series(1, ${EXPIRED}) n`;
    const child = (): Child => new Child("sweep-shared", "PostgreSQL", schema.url, "100");
    await using one = child();
    await using two = child();
    for (const each of [one, two]) expect(await each.next()).toBe("ready");
    for (const each of [one, two]) each.send("go");
    const swept = [await one.next(), await two.next()].map(Number);
    expect(swept.reduce((all, share) => all + share)).toBe(EXPIRED);
    expect(Math.min(...swept)).toBeGreaterThan(0);
    expect(await schema.rows()).toMatchObject([{ id: "live" }]);
  }, 600_000);
});
