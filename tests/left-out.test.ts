import { afterEach, expect, test } from "bun:test";

import { hasBrowser } from "./support/processes/browser.ts";
import { canStartPostgres } from "./support/servers/postgres-server.ts";
import { postgres } from "./support/servers/postgres.ts";
import { hasRedisServer } from "./support/servers/redis-server.ts";
import { redis } from "./support/servers/redis.ts";
import { hasProgram, LEFT_OUT, serviceAt } from "./support/servers/services.ts";
import { isLong } from "./support/trials.ts";

// The one place where a run of the whole suite says what it did not run, and why.
const missing = [...LEFT_OUT];
for (const line of missing) console.warn(line);
if (!isLong) {
  console.warn("Trials that take seconds, and a browser, are left out: `bun run check` has them.");
}

const { REDIS_URL, REQUIRE_SERVICES } = process.env;
afterEach(() => {
  setVariable("REDIS_URL", REDIS_URL);
  setVariable("REQUIRE_SERVICES", REQUIRE_SERVICES);
});

function setVariable(name: string, value: string | undefined): void {
  if (value === undefined) delete process.env[name];
  else process.env[name] = value;
}

test("reports everything that is missing as a reason for skipped tests", () => {
  const isThere = [hasBrowser, canStartPostgres, postgres.isThere, hasRedisServer, redis.isThere];
  expect(missing).toHaveLength(isThere.filter((each) => !each).length);
});

test("skips what needs a server or a program that is missing", async () => {
  setVariable("REQUIRE_SERVICES", undefined);
  setVariable("REDIS_URL", "redis://127.0.0.1:1");
  expect(await serviceAt("redis")).toMatchObject({ isThere: false });
  expect(hasProgram("no-such-program", "install it")).toBe(false);
  expect([...LEFT_OUT].slice(-2)).toEqual([
    "Tests that need it are skipped: Redis does not answer at 127.0.0.1:1. To run them: " +
      "apt-get install redis-server && redis-server --daemonize yes; or set REDIS_URL",
    "Tests that need it are skipped: no-such-program is not installed. To run them: install it",
  ]);
});

test("fails with REQUIRE_SERVICES=1 if a program is missing", () => {
  setVariable("REQUIRE_SERVICES", "1");
  expect(() => hasProgram("no-such-program", "install it")).toThrow(
    "no-such-program is not installed. install it",
  );
});
