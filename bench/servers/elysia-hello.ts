// What Elysia takes for a request by itself.
import { Elysia } from "elysia";

import { ADDRESS, announce } from "./announce.ts";

announce(new Elysia().get("/", () => "hello").listen(ADDRESS).server);
