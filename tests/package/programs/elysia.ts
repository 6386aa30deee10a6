import { InMemorySessionBackend, Sessions } from "bunpie";
import { sessions } from "bunpie/elysia";
import { Elysia } from "elysia";

export const manager = new Sessions<{ visits: number }>({ backend: new InMemorySessionBackend() });
export const plugin = sessions(manager);
export const app = new Elysia().use(plugin).get("/", ({ session }) => {
  session.visits = (session.visits ?? 0) + 1;
  return `${session.visits}`;
});

console.log(await (await app.handle(new Request("http://localhost/"))).text());
