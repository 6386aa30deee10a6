// An app that uses many features, and reports what it uses whenever it is asked over IPC. Its sessions expire
// after a minute, so that as many end as begin.
//
// bun soak.ts memory|sqlite|postgres|redis <file, URL or nothing>
import { heapStats } from "bun:jsc";
import { readdirSync, readFileSync, readlinkSync } from "node:fs";

import { PostgresSessionBackend } from "../../src/backends/postgres/backend.ts";
import { RedisSessionBackend } from "../../src/backends/redis/backend.ts";
import { SqliteSessionBackend } from "../../src/backends/sqlite/backend.ts";
import { App, InMemorySessionBackend } from "../../src/index.ts";
import type { SessionBackend } from "../../src/index.ts";
import { Lag } from "../soak/lag.ts";
import type { Reading } from "../soak/reading.ts";
import { SESSION_TIMEOUT, SWEEP_INTERVAL } from "../soak/reading.ts";
import { ADDRESS } from "./announce.ts";

/** The state's code in /proc/net/tcp. */
const ESTABLISHED = "01";

class Site extends App<{ visits: number; updates: number }> {
  visit() {
    const { session } = this.request;
    session.visits = (session.visits ?? 0) + 1;
    return session.visits;
  }

  read() {
    return this.request.session.visits ?? 0;
  }

  update = {
    POST: async () =>
      await this.request.session.update((stored) => {
        stored.updates = (stored.updates ?? 0) + 1;
      }),
  };

  login = {
    POST: () => {
      const { session } = this.request;
      session.login(this.request.query("user", "nobody"));
      session.flash("notice", "Welcome back.");
    },
  };

  notice() {
    return this.request.session.flash("notice") ?? "";
  }

  renew = { POST: () => this.request.session.regenerate() };

  logout = { POST: () => this.request.session.destroy() };

  everywhere = {
    POST: async () => {
      const { userId, handle } = this.request.session.meta;
      return userId === null ? 0 : await this.sessions.revokeAll(userId, { except: handle });
    },
  };
}

const [store = "", target = ""] = process.argv.slice(2);
const app = new Site({
  sessionBackend: toBackend(),
  session: { timeout: SESSION_TIMEOUT, sweepInterval: SWEEP_INTERVAL },
});
const server = app.listen(ADDRESS);
if (server === null) throw new Error("The server does not listen.");

const lag = new Lag();
process.on("message", () => process.send?.(read()));
process.on("disconnect", () => process.exit());
process.send?.(server.url.href);

/** What the process uses, and its lag since the last reading, without the reading itself. */
function read(): Reading {
  const lateness = lag.take();
  // Without a collection, the heap still holds garbage.
  Bun.gc(true);
  const { heapSize, objectTypeCounts } = heapStats();
  const reading = {
    rss: process.memoryUsage.rss() / 2 ** 20,
    heap: heapSize / 2 ** 20,
    descriptors: countDescriptors(),
    timers: objectTypeCounts["Timeout"] ?? 0,
    ...lateness,
  };
  lag.restart();
  return reading;
}

/** Counts open descriptors except for the visitors' connections, whose number varies. */
function countDescriptors(): number {
  const visitors = findVisitors();
  return readdirSync("/proc/self/fd").filter((name) => !visitors.has(readDescriptor(name))).length;
}

/** What the descriptors of the visitors' open connections point to. Connections that they closed are not included. */
function findVisitors(): ReadonlySet<string> {
  const port = Number(server?.port).toString(16).toUpperCase().padStart(4, "0");
  const rows = readFileSync("/proc/net/tcp", "utf8")
    .split("\n")
    .map((row) => row.trim().split(/ +/));
  const visitors = rows.filter(([, local, , state]) => {
    return local?.endsWith(`:${port}`) && state === ESTABLISHED;
  });
  return new Set(visitors.map(([, , , , , , , , , inode]) => `socket:[${inode}]`));
}

function readDescriptor(name: string): string {
  try {
    return readlinkSync(`/proc/self/fd/${name}`);
  } catch {
    // The descriptor by which the folder was read.
    return "";
  }
}

function toBackend(): SessionBackend {
  switch (store) {
    case "memory":
      return new InMemorySessionBackend();
    case "sqlite":
      return new SqliteSessionBackend(target);
    case "postgres":
      return new PostgresSessionBackend(target);
    case "redis":
      return new RedisSessionBackend(target, { prefix: `bunpie-soak-${process.pid}:` });
    default:
      throw new Error(`There is no store "${store}".`);
  }
}
