import type { Database } from "bun:sqlite";

/**
 * The number of 4 KB pages in the write-ahead log at which SQLite moves them into the file, during
 * some request's commit. That takes 5 ms on an idle disk; with SQLite's default of 1,000 pages, 12
 * to 20 ms.
 */
const LOG_PAGES = 400;

/**
 * The same while a backlog is swept: each row is on a page of its own in the index of ids, and
 * moving 400 of those pages takes 5.9 ms, 160 of them 3.3 ms. At other times so short a log would
 * cost requests 8 % more CPU.
 */
const SWEEPING_LOG_PAGES = 160;

/**
 * The size, in bytes, to which SQLite truncates the log after a long reader has kept it from being
 * moved.
 */
const LOG_SIZE = 4 * 1024 * 1024;

/** Keeps the write-ahead log of the backend's own connection short. */
export function limitLog(client: Database): void {
  client.run(`PRAGMA journal_size_limit = ${LOG_SIZE}`);
  paceLog(client, false);
}

/** Sets how much of the log is moved at once, by whether a backlog is being swept. */
export function paceLog(client: Database, isSweeping: boolean): void {
  client.run(`PRAGMA wal_autocheckpoint = ${isSweeping ? SWEEPING_LOG_PAGES : LOG_PAGES}`);
}

/**
 * Moves the write-ahead log into the file, so that the log restarts and needs no more space. SQLite
 * itself does this only after a commit, which fails once the log has filled the disk. Never waits
 * for readers. Returns whether the whole log was moved.
 */
export function emptyLog(client: Database): boolean {
  const setting = client.query<{ wal_autocheckpoint: number }, []>("PRAGMA wal_autocheckpoint");
  // A replicator such as Litestream controls the log.
  if (setting.get()?.wal_autocheckpoint === 0) return false;
  try {
    const move = client.query<{ log: number; checkpointed: number }, []>(
      "PRAGMA wal_checkpoint(PASSIVE)",
    );
    const { log = 0, checkpointed = 0 } = move.get() ?? {};
    return log > 0 && checkpointed === log;
  } catch {
    // The file would have to grow, but the disk is full.
    return false;
  }
}
