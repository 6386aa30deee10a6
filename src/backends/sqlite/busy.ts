import { SQLiteError } from "bun:sqlite";

/** The connection is the app's too, and the app is in the middle of a transaction. */
export class OpenTransaction extends Error {
  override readonly message = "The app has a transaction open on the connection.";
}

/** Whether the database is in somebody else's hands at the moment. */
export function isBusy(error: unknown): boolean {
  return (
    error instanceof OpenTransaction ||
    (error instanceof SQLiteError && /^SQLITE_(?:BUSY|LOCKED)/.test(error.code ?? ""))
  );
}
