import sessions from "../../../drizzle/sqlite/0000_sessions.sql" with { type: "text" };
import labelsAndNotes from "../../../drizzle/sqlite/0001_labels_and_notes.sql" with { type: "text" };
import type { Migration } from "../migration.ts";
import { toMigration } from "../migration.ts";

/** The migrations of drizzle/sqlite, oldest first. */
export const MIGRATIONS: readonly Migration[] = [
  toMigration(1_795_397_973_752, sessions),
  toMigration(1_795_694_906_810, labelsAndNotes),
];
