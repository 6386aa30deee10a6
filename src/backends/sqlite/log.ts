import type { Database } from "bun:sqlite";

/**
 * How many pages of 4 KB the write-ahead log gets before SQLite moves them into the file, inside the commit of
 * some request. That takes 5 ms on an idle disk; with SQLite's default of 1,000 pages, 12 to 20.
 */
const LOG_PAGES = 400;

/**
 * The same while a backlog is swept: each row lies on a page of its own in the index of ids, and to move 400 of
 * those takes 5.9 ms, 160 of them 3.3. At other times requests would take 8 % more CPU with so short a log.
 */
const SWEEPING_LOG_PAGES = 160;

/** The size, in bytes, that the log is cut to after a long reader has kept SQLite from moving it. */
const LOG_SIZE = 4 * 1024 * 1024;

/** Keeps the write-ahead log of a connection of ours short. */
export function limitLog(client: Database): void {
  client.run(`PRAGMA journal_size_limit = ${LOG_SIZE}`);
  paceLog(client, false);
}

/** Decides how much of the log is moved at once, by whether a backlog is being swept. */
export function paceLog(client: Database, isSweeping: boolean): void {
  client.run(`PRAGMA wal_autocheckpoint = ${isSweeping ? SWEEPING_LOG_PAGES : LOG_PAGES}`);
}

/**
 * Moves the write-ahead log into the file, so that the log begins anew and needs no more space. SQLite does that
 * only after a commit, and a log that has filled the disk lets none through. Never waits for readers. Returns
 * whether all of the log was moved.
 */
export function emptyLog(client: Database): boolean {
  const setting = client.query<{ wal_autocheckpoint: number }, []>("PRAGMA wal_autocheckpoint");
  // The log is a replicator's.
  if (setting.get()?.wal_autocheckpoint === 0) return false;
  try {
    const move = client.query<{ log: number; checkpointed: number }, []>(
      "PRAGMA wal_checkpoint(PASSIVE)",
    );
    const { log = 0, checkpointed = 0 } = move.get() ?? {};
    return log > 0 && checkpointed === log;
  } catch {
    // The file would have to grow, and the disk is full.
    return false;
  }
}
