import { describe, expect } from "bun:test";

import { App } from "../../src/app/app.ts";
import { InMemorySessionBackend } from "../../src/backends/memory/backend.ts";
import { TestClient } from "../../src/testing/client.ts";
import { quiet } from "../support/quiet.ts";
import { MapBackend } from "../support/stores/backends.ts";
import { guarantee, number } from "./figure.ts";

const MB = 1024 * 1024;

class Site extends App<{ visits: number }> {
  index(): string {
    return `Visited ${this.request.session.visits ?? 0} times.`;
  }
  login(user: string): string {
    this.request.session.login(user);
    return "Hello.";
  }
  logout(): string {
    this.request.session.destroy();
    return "Goodbye.";
  }
  who(): string {
    return String(this.request.session.meta.userId);
  }
  write(): string {
    this.request.session.visits = (this.request.session.visits ?? 0) + 1;
    return "Written.";
  }
}

/** What the process holds, in MB, once everything that can be collected has been. */
function memoryInUse(): number {
  Bun.gc(true);
  return process.memoryUsage.rss() / MB;
}

/** By how many MB what JavaScript holds grows while `work` is done. The rest is the allocator's. */
async function measureGrowth(work: () => Promise<void>): Promise<number> {
  const before = heapInUse();
  await work();
  return Math.max(0, heapInUse() - before);
}

function heapInUse(): number {
  Bun.gc(true);
  return process.memoryUsage().heapUsed / MB;
}

describe("a flood of visitors without a cookie", () => {
  guarantee(
    "pages that only read make no row, set no cookie and leak no memory",
    { id: "G8", quick: 5_000, gate: 20_000, full: 1_000_000, of: "requests" },
    async (trial) => {
      const backend = new InMemorySessionBackend();
      const app = new Site({ sessionBackend: backend });
      const visit = async (): Promise<Response> => app.fetch(new Request("http://localhost/"));
      for (let index = 0; index < 20_000; index++) await visit();
      let cookies = 0;
      const growth = await measureGrowth(async () => {
        for (let index = 0; index < trial.size; index++) {
          const response = await visit();
          if (response.headers.has("set-cookie")) cookies++;
          if (index % 100_000 === 0) trial.progress(index);
        }
      });
      trial.never("rows", backend.size);
      trial.never("cookies", cookies);
      trial.atMost("growth", growth, 16, "MB");
      await app.sessions.close();
    },
  );

  guarantee(
    "a handler that always writes fills the store in memory to its limit, and no further",
    { id: "G8", quick: 5_000, gate: 20_000, full: 1_000_000, of: "requests" },
    async (trial) => {
      const maxSessions = trial.size / 10;
      const backend = new InMemorySessionBackend({ maxSessions });
      const app = new Site({ sessionBackend: backend });
      let over = 0;
      const flood = async (): Promise<void> => {
        for (let index = 0; index < trial.size / 2; index++) {
          const response = await app.fetch(new Request("http://localhost/write"));
          expect(response.headers.getSetCookie()).toHaveLength(1);
          if (backend.size > maxSessions) over++;
        }
      };
      await flood();
      const growth = await measureGrowth(flood);
      trial.never(`times above ${number(maxSessions)} sessions`, over);
      trial.atMost("growth in the second half", growth, 16, "MB");
      trial.atMost("memory of the whole process", memoryInUse(), 256, "MB");
      await app.sessions.close();
    },
  );

  guarantee(
    "a flood of visitors evicts anonymous sessions, and never one that is signed in",
    { id: "G8", quick: 5_000, gate: 20_000, full: 1_000_000, of: "requests" },
    async (trial) => {
      const maxSessions = trial.size / 10;
      const backend = new InMemorySessionBackend({ maxSessions });
      const app = new Site({ sessionBackend: backend });
      const users: TestClient[] = [];
      const signIn = async (): Promise<TestClient> => {
        const client = new TestClient(app);
        expect(await client.text(`/login/${users.length}`)).toBe("Hello.");
        users.push(client);
        return client;
      };
      while (users.length < maxSessions / 2) await signIn();
      for (let index = 0; index < trial.size; index++) {
        expect((await app.fetch(new Request("http://localhost/write"))).status).toBe(200);
        if (index % 100_000 === 0) trial.progress(index);
      }
      while (users.length < maxSessions) await signIn();
      using errors = quiet("error");
      const refused = await new TestClient(app).send("/write");
      expect(refused.status).toBe(503);
      expect(refused.headers.getSetCookie()).toEqual([]);
      const lost: string[] = [];
      for (const [index, user] of users.entries()) {
        if ((await user.text("/who")) !== String(index)) lost.push(String(index));
      }
      trial.never("users signed out", lost.length, users.length);
      trial.note(`full of ${number(users.length)} users, the store answers a new session with 503`);
      expect(errors).toHaveBeenCalled();
      await app.sessions.close();
    },
  );

  guarantee(
    "logging in and out forever leaks no memory, in the store in memory or on two methods",
    { id: "G8", quick: 1_000, gate: 5_000, full: 400_000, of: "visits of each" },
    async (trial) => {
      for (const sessionBackend of [new InMemorySessionBackend(), new MapBackend()]) {
        const app = new Site({ sessionBackend });
        const visit = async (): Promise<void> => {
          const client = new TestClient(app);
          await client.send("/login/Ann");
          await client.send("/logout");
        };
        // Two methods need the last destroyed ids to be remembered, 100,000 at most: that is the floor.
        const visits = async (): Promise<void> => {
          for (let index = 0; index < trial.size / 2; index++) await visit();
        };
        await visits();
        const { name } = sessionBackend.constructor;
        trial.atMost(`growth on ${name}`, await measureGrowth(visits), 16, "MB");
        await app.sessions.close();
      }
    },
  );
});
