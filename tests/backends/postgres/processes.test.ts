import { afterEach, beforeEach, describe, expect, test } from "bun:test";

import { App } from "../../../src/app/app.ts";
import { PostgresSessionBackend } from "../../../src/backends/postgres/backend.ts";
import { TestClient } from "../../../src/testing/client.ts";
import { recordOf } from "../../../src/testing/records.ts";
import { Child } from "../../support/processes/child.ts";
import { postgres, Schema } from "../../support/servers/postgres.ts";

class Site extends App<Record<string, number>> {
  index(): string {
    this.request.session["begun"] = 1;
    return "begun";
  }
  who(): string {
    return this.request.session.meta.userId ?? "nobody";
  }
  login(): string {
    this.request.session.login("Ann");
    return "in";
  }
  logout(): string {
    this.request.session.destroy();
    return "out";
  }
}

describe.skipIf(!postgres.isThere)("two processes on one PostgreSQL database", () => {
  let schema: Schema;
  const apps: Site[] = [];

  beforeEach(async () => {
    schema = await Schema.create();
  });
  afterEach(async () => {
    await Promise.all(apps.splice(0).map((app) => app.sessions.close()));
    await schema.drop();
  });

  function serve(): Site {
    const app = new Site({
      sessionBackend: new PostgresSessionBackend(schema.url, { connections: 3 }),
    });
    apps.push(app);
    return app;
  }

  test("L6: know of each other's logouts and new ids at once", async () => {
    const [here, there] = [serve(), serve()];
    for (let round = 0; round < 20; round++) {
      const client = new TestClient(here);
      await client.send("/");
      const anonymous = client.clone(there);
      await client.send("/login");
      expect(await anonymous.text("/who")).toBe("nobody");
      const signedIn = client.clone(there);
      expect(await signedIn.text("/who")).toBe("Ann");
      const replay = signedIn.clone();
      await client.send("/logout");
      expect(await replay.text("/who")).toBe("nobody");
    }
  });

  test("share a sweep: each row is removed by one of them, and counted once", async () => {
    const EXPIRED = 5000;
    const backend = new PostgresSessionBackend(schema.url, { connections: 1 });
    await backend.create("live", recordOf());
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
