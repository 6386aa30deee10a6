// What runs on the thread of a `SqliteThread`: it does the writes that it is sent, and answers.
import { Database } from "bun:sqlite";

import { GroupCommit } from "./group-commit.ts";
import { sessionsTable } from "./schema.ts";
import { prepareStatements } from "./statements.ts";
import type { Answer, Job, Outcome, ThreadOptions } from "./thread.ts";
import type { Write } from "./writes.ts";
import { perform, Writes } from "./writes.ts";

declare const self: Worker;

const { path, table, synchronous, busyTimeout } = JSON.parse(
  process.argv[2] ?? "",
) as ThreadOptions;
const database = new Database(path, { readwrite: true });
database.run(`PRAGMA synchronous = ${synchronous}`);
database.run("PRAGMA busy_timeout = 0");

let now = 0;
const writes = new Writes(prepareStatements(database, sessionsTable(table)), () => now);
const commits = new GroupCommit(database, busyTimeout);

self.addEventListener("message", async ({ data }: MessageEvent<Job | "close">) => {
  if (data === "close") {
    database.close(true);
    process.exit();
  }
  now = data.now;
  const outcomes = await Promise.all(data.writes.map(outcomeOf));
  postMessage({ number: data.number, outcomes } satisfies Answer);
});
postMessage("ready");

async function outcomeOf(write: Write): Promise<Outcome> {
  try {
    const value = await commits.write([], () => perform(writes, write));
    if (write[0] === "sweep") await shortenLog();
    return { value };
  } catch (error) {
    // SQLite's own errors do not get through to another thread.
    return { failure: error instanceof Error ? error.message : String(error) };
  }
}

/**
 * Moves the log into the file, once what has been asked for meanwhile is done. Left to SQLite, that is a
 * thousand pages at a time, for which some visitor's commit has to wait.
 */
async function shortenLog(): Promise<void> {
  await new Promise((resolve) => setImmediate(resolve));
  await commits.idle();
  database.run("PRAGMA wal_checkpoint(PASSIVE)");
}
