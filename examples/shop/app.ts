import { join } from "node:path";

import { SqliteSessionBackend } from "bunpie/sqlite";

import { Shop } from "./shop.ts";

// `bun run dev` serves what is exported here. Sessions are in a file: a restart logs nobody out.
const path = process.env["SHOP_DB"] ?? join(import.meta.dir, "shop.db");
const app = new Shop(new SqliteSessionBackend(path));

export default app;
