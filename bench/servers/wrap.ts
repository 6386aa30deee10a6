// The README's counter on plain Bun.serve.
import { InMemorySessionBackend, Sessions } from "../../src/index.ts";
import { ADDRESS, announce, tally } from "./announce.ts";

const sessions = new Sessions<{ visits: number }>({ backend: new InMemorySessionBackend() });

const server = Bun.serve({
  ...ADDRESS,
  routes: {
    "/bare": () => {
      tally.handled++;
      return new Response("hello");
    },
    "/": sessions.wrap((_request, session) => {
      tally.handled++;
      session.visits = (session.visits ?? 0) + 1;
      return new Response(`You have visited ${session.visits} times.`);
    }),
    "/page": sessions.wrap((_request, session) => {
      tally.handled++;
      return new Response(`You have visited ${session.visits ?? 0} times.`);
    }),
  },
});
announce(server, () => sessions.stats());
