// The README's counter on Hono.
import { Hono } from "hono";

import { InMemorySessionBackend, Sessions } from "../../src/index.ts";
import { sessions } from "../../src/integrations/hono.ts";
import { ADDRESS, announce, tally } from "./announce.ts";

const manager = new Sessions<{ visits: number }>({ backend: new InMemorySessionBackend() });
const app = new Hono()
  .get("/bare", (c) => {
    tally.handled++;
    return c.text("hello");
  })
  .use(sessions(manager))
  .get("/", (c) => {
    tally.handled++;
    const { session } = c.var;
    session.visits = (session.visits ?? 0) + 1;
    return c.text(`You have visited ${session.visits} times.`);
  })
  .get("/page", (c) => {
    tally.handled++;
    return c.text(`You have visited ${c.var.session.visits ?? 0} times.`);
  });

announce(Bun.serve({ ...ADDRESS, fetch: app.fetch }), () => manager.stats());
