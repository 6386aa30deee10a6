import { InMemorySessionBackend, Sessions } from "bunpie";
import { sessions } from "bunpie/hono";
import { Hono } from "hono";

export const manager = new Sessions<{ visits: number }>({ backend: new InMemorySessionBackend() });
export const middleware = sessions(manager);
export const app = new Hono().use(middleware).get("/", (c) => {
  const { session } = c.var;
  session.visits = (session.visits ?? 0) + 1;
  return c.text(`${session.visits}`);
});

console.log(await (await app.request("/")).text());
