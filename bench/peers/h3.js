// h3's useSession, as its guide shows it: the session is a sealed cookie. By default, each seal derives its keys
// with 8,192 rounds of PBKDF2, as a protection of weak passwords.
import { H3, serve, useSession } from "h3";

import { announce, SECRET, show, tally } from "./announce.js";

const OPTIONS = { password: SECRET, maxAge: 8 * 60 * 60 };

const app = new H3()
  .get("/bare", () => {
    tally.handled++;
    return "hello";
  })
  .get("/", async (event) => {
    tally.handled++;
    const session = await useSession(event, OPTIONS);
    await session.update({ visits: (session.data.visits ?? 0) + 1 });
    return show(session.data.visits);
  })
  .get("/page", async (event) => {
    tally.handled++;
    const session = await useSession(event, OPTIONS);
    return show(session.data.visits);
  });
const server = serve(app, { port: 0, hostname: "127.0.0.1", silent: true });
await server.ready();
announce(server.url);
