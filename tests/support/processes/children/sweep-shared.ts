// Sweeps a store that it shares with other processes, when it is told to, until nothing is left.
import { sharedBackend } from "../../stores/shared-backends.ts";

const [, , kind = "", target = "", limit = ""] = process.argv;
const backend = sharedBackend(kind, target);
await backend.read("");

process.once("message", async () => {
  let swept = 0;
  for (let count = -1; count !== 0; swept += count) count = await backend.sweep(Number(limit));
  await backend.close();
  process.send?.(swept);
  process.disconnect?.();
});
process.send?.("ready");
