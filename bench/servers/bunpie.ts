// The README's counter, and a page for each of the other workloads.
//
// bun bunpie.ts memory|normal|full|redis|postgres <target> <name>
import { heapStats } from "bun:jsc";

import { App } from "../../src/index.ts";
import type { Command } from "./announce.ts";
import { ADDRESS, announce, tally } from "./announce.ts";
import { openBackend } from "./storage.ts";

/** How many sessions are created concurrently. */
const AT_ONCE = 200;

class Counter extends App<{ visits: number; filling: string; a: number; b: number }> {
  index() {
    tally.handled++;
    const { session } = this.request;
    session.visits = (session.visits ?? 0) + 1;
    return `You have visited ${session.visits} times.`;
  }

  /** Counts exactly, even if requests of one session overlap. */
  async exact() {
    tally.handled++;
    await this.request.session.update((stored) => {
      stored.visits = (stored.visits ?? 0) + 1;
    });
    return "hello";
  }

  page() {
    tally.handled++;
    return `You have visited ${this.request.session.visits ?? 0} times.`;
  }

  bare() {
    tally.handled++;
    return "hello";
  }

  /** A first visit that stores a given number of bytes in the session. */
  fill(bytes: string) {
    const { session } = this.request;
    session.visits = 1;
    session.filling = "x".repeat(Number(bytes));
    return "You have visited 1 times.";
  }

  tab(name: string) {
    tally.handled++;
    const { session } = this.request;
    const key = name === "a" ? "a" : "b";
    session[key] = (session[key] ?? 0) + 1;
    return `You have visited ${session[key]} times.`;
  }

  tabs() {
    tally.handled++;
    const { a = 0, b = 0 } = this.request.session;
    return `You have visited ${a + b} times.`;
  }

  login = {
    POST: (user: string) => {
      tally.handled++;
      this.request.session.login(user);
      return "hello";
    },
  };

  logout = {
    POST: () => {
      tally.handled++;
      this.request.session.destroy();
      return "hello";
    },
  };

  nothing() {
    return "";
  }
}

const app = new Counter({
  sessionBackend: await openBackend(),
  session: { maxPerUser: Infinity },
  log: false,
});
const [, , , , , port = "0"] = process.argv;
announce(
  app.listen({ ...ADDRESS, port: Number(port), reusePort: true }),
  () => app.sessions.stats(),
  answer,
);

async function answer({ name, ...rest }: Command): Promise<unknown> {
  switch (name) {
    case "create":
      return create(rest as unknown as Creation);
    case "user":
      return timeUser(String(rest["user"]), rest["operation"] as Operation);
    case "collect":
      Bun.gc(true);
      return { resident: process.memoryUsage.rss(), heap: heapStats().heapSize };
    default:
      throw new Error(`There is no command "${name}".`);
  }
}

interface Creation {
  readonly count: number;
  /** The page that begins a session; its `*` is replaced by a number. */
  readonly path: string;
  readonly method: string;
  /** How many cookies to return; all by default. */
  readonly keep?: number;
}

/** Creates sessions in this process, without the network, and returns their cookies. */
async function create({ count, path, method, keep = count }: Creation): Promise<string[]> {
  const cookies: string[] = [];
  const step = Math.max(1, Math.floor(count / keep));
  for (let first = 0; first < count; first += AT_ONCE) {
    const responses = await Promise.all(
      Array.from({ length: Math.min(AT_ONCE, count - first) }, (_, index) => {
        const url = `http://localhost${path.replace("*", String(first + index))}`;
        return app.fetch(new Request(url, { method }));
      }),
    );
    for (const [index, response] of responses.entries()) {
      if ((first + index) % step !== 0 || cookies.length === keep) continue;
      const [line = ""] = response.headers.getSetCookie();
      cookies.push(line.split(";", 1).join());
    }
  }
  return cookies;
}

type Operation = "list" | "login" | "revokeAll";

/** How long an operation on a user's sessions takes, in microseconds. */
async function timeUser(user: string, operation: Operation): Promise<number> {
  const begun = performance.now();
  if (operation === "list") await app.sessions.list(user);
  else if (operation === "revokeAll") await app.sessions.revokeAll(user);
  else await app.fetch(new Request(`http://localhost/login/${user}`, { method: "POST" }));
  return (performance.now() - begun) * 1000;
}
