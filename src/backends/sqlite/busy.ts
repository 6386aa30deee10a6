import { SQLiteError } from "bun:sqlite";

/** The app shares its connection with the backend and has an open transaction on it. */
export class OpenTransaction extends Error {
  override readonly message =
    "The app has a transaction open on the connection, and sessions wait for its end. Commit or roll back before " +
    "the next `await`, or pass SqliteSessionBackend a path, for a connection of its own.";
}

/** Whether another process, or the app, has the database locked at the moment. */
export function isBusy(error: unknown): boolean {
  return (
    error instanceof OpenTransaction ||
    (error instanceof SQLiteError && /^SQLITE_(?:BUSY|LOCKED)/.test(error.code ?? ""))
  );
}
