/** Sessions in a plain `Bun.serve` server, without `App`. */

import { Sessions } from "bunpie";
import { SqliteSessionBackend } from "bunpie/sqlite";

const sessions = new Sessions<{ visits: number }>({
  backend: new SqliteSessionBackend("sessions.db"),
});

const server = Bun.serve({
  routes: {
    "/": sessions.wrap((_request, session) => {
      session.visits = (session.visits ?? 0) + 1;
      return new Response(`You have visited ${session.visits} times.`);
    }),

    // Route parameters work as they do without a session.
    "/greet/:name": sessions.wrap((request, session) =>
      Response.json({ hello: request.params.name, visits: session.visits ?? 0 }),
    ),

    // A route that needs no session stays as it is, without additional cost.
    "/health": new Response("fine"),
  },
});

console.info(`Listening at ${server.url}`);

// `App` does this automatically. Here it is up to you: finish requests, then pending writes.
process.once("SIGTERM", async () => {
  await server.stop();
  await sessions.close();
});
