// What Hono takes for a request by itself.
import { Hono } from "hono";

import { ADDRESS, announce } from "./announce.ts";

const app = new Hono().get("/", (c) => c.text("hello"));
announce(Bun.serve({ ...ADDRESS, fetch: app.fetch }));
