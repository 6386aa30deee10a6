// The README's counter on Elysia.
import { Elysia } from "elysia";

import { InMemorySessionBackend, Sessions } from "../../src/index.ts";
import { sessions } from "../../src/integrations/elysia.ts";
import { ADDRESS, announce, tally } from "./announce.ts";

const manager = new Sessions<{ visits: number }>({ backend: new InMemorySessionBackend() });
const app = new Elysia()
  .get("/bare", () => {
    tally.handled++;
    return "hello";
  })
  .use(sessions(manager))
  .get("/", ({ session }) => {
    tally.handled++;
    session.visits = (session.visits ?? 0) + 1;
    return `You have visited ${session.visits} times.`;
  })
  .get("/page", ({ session }) => {
    tally.handled++;
    return `You have visited ${session.visits ?? 0} times.`;
  })
  .listen(ADDRESS);

announce(app.server, () => manager.stats());
