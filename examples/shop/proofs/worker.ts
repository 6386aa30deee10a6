// One of the two processes of the crash: the whole shop, on a port that it shares with the other.

import { openShop } from "../open-shop.ts";

const server = openShop().listen({
  hostname: "127.0.0.1",
  port: process.env["WORKER_PORT"] ?? "0",
  reusePort: true,
});
process.send?.(server.port);
process.on("disconnect", () => process.exit());
