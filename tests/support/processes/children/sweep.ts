// Serves counters from a database, and sweeps it when it is told to. Says how long its event loop
// stood still at most, without a sweep and with one.
import { App } from "../../../../src/app/app.ts";
import { SqliteSessionBackend } from "../../../../src/backends/sqlite/backend.ts";
import { longestStall } from "../stall.ts";

class Counter extends App<{ visits: number }> {
  index(): number {
    const { session } = this.request;
    session.visits = (session.visits ?? 0) + 1;
    return session.visits;
  }
}

const [, , path = ""] = process.argv;
const app = new Counter({
  sessionBackend: new SqliteSessionBackend(path),
  session: { sweepInterval: 0, storeTimeout: 60_000 },
});
const server = app.listen(0);

process.on("message", async (message) => {
  if (message === "stop") return app.close().then(() => process.disconnect?.());
  const begun = performance.now();
  const work = message === "sweep" ? app.sessions.sweep() : Bun.sleep(Number(message));
  const stall = await longestStall(work);
  process.send?.({ swept: await work, stall, took: performance.now() - begun });
});
process.send?.(server.port);
