/** Sessions in a server that is plain `Bun.serve`, without `App`. */

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

    // Bun's parameters and its server arrive as they do without a session.
    "/greet/:name": sessions.wrap((request, session) =>
      Response.json({ hello: request.params.name, visits: session.visits ?? 0 }),
    ),

    // A route that needs no session stays as it is, and costs what it did.
    "/health": new Response("fine"),
  },
});

console.info(`Listening at ${server.url}`);

// `App` does this by itself. Here it is up to you: finish requests, then what they wrote.
process.once("SIGTERM", async () => {
  await server.stop();
  await sessions.close();
});
