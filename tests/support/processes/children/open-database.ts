// Opens a store when it is told to, creates one session in it, and closes it.
import { makeRecord, randomId } from "../../../../src/testing/records.ts";
import { sharedBackend } from "../../stores/shared-backends.ts";

const [, , kind = "", target = ""] = process.argv;
process.once("message", async () => {
  const backend = sharedBackend(kind, target);
  const id = randomId();
  await backend.create(id, makeRecord());
  await backend.close();
  process.send?.(id);
  process.disconnect?.();
});
process.send?.("ready");
