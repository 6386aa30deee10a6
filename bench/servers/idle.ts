// Does nothing, and says how late its event loop is whenever it is asked over IPC: what of a busy server's
// lag is the machine's.
import { Lag } from "../soak/lag.ts";

const lag = new Lag();
process.on("message", () => {
  process.send?.(lag.take());
  lag.restart();
});
process.on("disconnect", () => process.exit());
process.send?.("ready");
