import { join } from "node:path";

import { openBackend, parseBackendName } from "./backends.ts";
import { openDatabase } from "./database.ts";
import type { CrashTrial } from "./proofs/crash.ts";
import { runCrash } from "./proofs/crash.ts";
import { Shop } from "./shop.ts";

/** Opens the shop as the environment configures it: `BACKEND`, `SHOP_FOLDER`, `NODE_ENV`. */
export function openShop(): Shop {
  const { BACKEND = "sqlite", SHOP_FOLDER = import.meta.dir, NODE_ENV } = process.env;
  const isProduction = NODE_ENV === "production";
  const backendName = parseBackendName(BACKEND);
  return new Shop(
    openBackend(backendName, SHOP_FOLDER),
    {
      db: openDatabase(join(SHOP_FOLDER, "shop.db")),
      backendName,
      crash: chooseCrash(backendName, isProduction),
      now: Date.now,
    },
    // In development, a phone uses plain HTTP, over which browsers refuse Secure cookies; in production, keep
    // the default. The cookie has its own name because all programs on localhost share a cookie jar.
    isProduction ? {} : { cookie: { name: "shop_session", secure: false } },
  );
}

function chooseCrash(backendName: string, isProduction: boolean): CrashTrial | string {
  if (isProduction) return "Processes are killed in development only.";
  if (backendName === "memory") {
    return "Sessions in memory end with their process. Start the shop with BACKEND=sqlite bun run dev.";
  }
  return () => runCrash(process.env);
}
