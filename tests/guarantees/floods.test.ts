import { describe, expect } from "bun:test";

import { App } from "../../src/app/app.ts";
import { InMemorySessionBackend } from "../../src/backends/memory.ts";
import { guarantee } from "./figure.ts";

const MB = 1024 * 1024;
const MAX_SESSIONS = 100_000;

class Site extends App<{ visits: number }> {
  index(): string {
    return `Visited ${this.request.session.visits ?? 0} times.`;
  }
  write(): string {
    this.request.session.visits = (this.request.session.visits ?? 0) + 1;
    return "Written.";
  }
}

/** Memory in use, in MB, once everything that can be collected has been. */
function memoryInUse(): number {
  Bun.gc(true);
  return process.memoryUsage.rss() / MB;
}

describe("a flood of visitors without a cookie", () => {
  guarantee(
    {
      id: "G8",
      name: "pages that only read make no row, set no cookie and keep no memory",
      quick: 20_000,
      full: 1_000_000,
      of: "requests",
    },
    async (trial) => {
      const backend = new InMemorySessionBackend();
      const app = new Site({ sessionBackend: backend });
      const visit = async (): Promise<Response> => app.fetch(new Request("http://localhost/"));
      for (let index = 0; index < 20_000; index++) await visit();
      const before = memoryInUse();
      let cookies = 0;
      for (let index = 0; index < trial.size; index++) {
        const response = await visit();
        if (response.headers.has("set-cookie")) cookies++;
        if (index % 100_000 === 0) trial.progress(index);
      }
      trial.never("rows", backend.size);
      trial.never("cookies", cookies);
      trial.atMost("growth", Math.max(0, memoryInUse() - before), 16, "MB");
      await app.sessions.close();
    },
  );

  guarantee(
    {
      id: "G8",
      name: "a handler that always writes fills the store in memory up to its limit and no further",
      quick: 20_000,
      full: 1_000_000,
      of: "requests",
    },
    async (trial) => {
      const maxSessions = Math.min(MAX_SESSIONS, trial.size / 10);
      const backend = new InMemorySessionBackend({ maxSessions });
      const app = new Site({ sessionBackend: backend });
      let over = 0;
      for (let index = 0; index < trial.size; index++) {
        const response = await app.fetch(new Request("http://localhost/write"));
        expect(response.headers.getSetCookie()).toHaveLength(1);
        if (backend.size > maxSessions) over++;
        if (index % 100_000 === 0) trial.progress(index);
      }
      trial.never(`times above ${maxSessions} sessions`, over);
      trial.atMost("memory", memoryInUse(), 256, "MB");
      await app.sessions.close();
    },
  );
});
