// Opens a database when it is told to, creates one session in it, and closes it.
import { SqliteSessionBackend } from "../../../src/backends/sqlite.ts";
import { randomId, recordOf } from "../../../src/testing/records.ts";

const [, , path = ""] = process.argv;
process.once("message", async () => {
  const backend = new SqliteSessionBackend(path);
  const id = randomId();
  await backend.create(id, recordOf());
  await backend.close();
  process.send?.(id);
  process.disconnect?.();
});
process.send?.("ready");
