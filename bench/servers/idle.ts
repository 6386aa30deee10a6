// Idles, and reports its event loop's lag whenever it is asked over IPC: the part of a busy server's lag that
// the machine causes.
import { Lag } from "../soak/lag.ts";

const lag = new Lag();
process.on("message", () => {
  process.send?.(lag.take());
  lag.restart();
});
process.on("disconnect", () => process.exit());
process.send?.("ready");
