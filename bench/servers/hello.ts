// What Bun takes for a request by itself. Everything else is measured by this.
import { ADDRESS, announce } from "./announce.ts";

announce(Bun.serve({ ...ADDRESS, fetch: () => new Response("hello") }));
