/** Sessions in a Hono app: a middleware adds `c.var.session`, with its type. */

import { Sessions } from "bunpie";
import { sessions } from "bunpie/hono";
import { SqliteSessionBackend } from "bunpie/sqlite";
import { Hono } from "hono";
import { streamSSE } from "hono/streaming";

const manager = new Sessions<{ visits: number; progress: number }>({
  backend: new SqliteSessionBackend("sessions.db"),
});

const app = new Hono()
  // Routes before the middleware have no session, and no additional cost.
  .get("/health", (c) => c.text("fine"))
  .use(sessions(manager))
  .get("/", (c) => {
    const { session } = c.var;
    session.visits = (session.visits ?? 0) + 1;
    return c.text(`You have visited ${session.visits} times.`);
  })
  // The session is stored before a response begins. A stream saves later changes itself.
  .get("/import", (c) =>
    streamSSE(c, async (stream) => {
      const { session } = c.var;
      for (const progress of [50, 100]) {
        session.progress = progress;
        await session.save();
        await stream.writeSSE({ data: `${progress} %` });
      }
    }),
  )
  .get("/progress", (c) => c.json(c.var.session.progress ?? 0));

const server = Bun.serve({ fetch: app.fetch });

console.info(`Listening at ${server.url}`);

process.once("SIGTERM", async () => {
  await server.stop();
  await manager.close();
});
