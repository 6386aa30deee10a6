import sessions from "../../../drizzle/postgres/0000_sessions.sql" with { type: "text" };
import roomForUpdates from "../../../drizzle/postgres/0001_room_for_updates.sql" with { type: "text" };
import labelsAndNotes from "../../../drizzle/postgres/0002_labels_and_notes.sql" with { type: "text" };
import noSequence from "../../../drizzle/postgres/0003_no_sequence.sql" with { type: "text" };
import type { Migration } from "../migration.ts";
import { toMigration } from "../migration.ts";

/** The migrations of drizzle/postgres, oldest first. */
export const MIGRATIONS: readonly Migration[] = [
  toMigration(1_795_407_855_139, sessions),
  toMigration(1_795_409_196_708, roomForUpdates),
  toMigration(1_795_694_907_241, labelsAndNotes),
  toMigration(1_795_705_286_547, noSequence),
];
