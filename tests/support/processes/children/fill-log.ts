// Keeps sessions where no file may grow beyond 400 KB. Tells what a write says while a reader keeps the log from
// being moved and it can grow no more, and what one says when the reader is gone.
import { Database } from "bun:sqlite";

import { SqliteSessionBackend } from "../../../../src/backends/sqlite/backend.ts";
import { makeRecord } from "../../../../src/testing/records.ts";

const [, , path = ""] = process.argv;
const backend = new SqliteSessionBackend(path);
const record = makeRecord({ data: JSON.stringify({ text: "x".repeat(3_000) }) });
const touch = (): Promise<unknown> => backend.touch("id", record.expiresAt).catch(String);

// By default the signal would end the process.
process.on("SIGXFSZ", () => undefined);
await backend.create("id", record);
using reader = new Database(path, { readonly: true });
reader.run("BEGIN");
reader.query("SELECT count(*) FROM bunpie_sessions").get();
Bun.spawnSync(["prlimit", `--pid=${process.pid}`, "--fsize=400000:"]);
let answer: unknown = true;
while (answer === true) answer = await touch();
const during = [answer, await touch()];
reader.run("COMMIT");
const after = [await touch(), await touch()];
process.send?.({ during, after });
process.disconnect?.();
