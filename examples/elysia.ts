/** Sessions in an Elysia app: a plugin adds `session` to the context, with its type. */

import { Sessions } from "bunpie";
import { sessions } from "bunpie/elysia";
import { SqliteSessionBackend } from "bunpie/sqlite";
import { Elysia, t } from "elysia";

const MAX_ITEMS = 50;

const manager = new Sessions<{ visits: number; cart: string[] }>({
  backend: new SqliteSessionBackend("sessions.db"),
});

/** A part of the app. It uses the plugin too, for its types; each request still has one session. */
const cart = new Elysia({ prefix: "/cart" })
  .use(sessions(manager))
  .get("/", ({ session }) => session.cart ?? [])
  .post(
    "/",
    ({ session, body, redirect, status }) => {
      const { cart: items = [] } = session;
      // A session holds 32 KiB, so limit what visitors put into it.
      if (items.length === MAX_ITEMS) return status(409, "The cart is full.");
      session.cart = [...items, body.item];
      return redirect("/cart", 303);
    },
    { body: t.Object({ item: t.String({ minLength: 1, maxLength: 80 }) }) },
  );

const app = new Elysia()
  // Routes before the plugin have no session, and no additional cost.
  .get("/health", "fine")
  .use(sessions(manager))
  .get("/", ({ session }) => {
    session.visits = (session.visits ?? 0) + 1;
    return `You have visited ${session.visits} times.`;
  })
  .use(cart)
  .listen(process.env["PORT"] ?? 3000);

console.info(`Listening at ${app.server?.url}`);

process.once("SIGTERM", async () => {
  await app.stop();
  await manager.close();
});
