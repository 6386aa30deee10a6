import type { Database } from "bun:sqlite";

import type { User } from "./users.ts";

/** A line of the chat. */
export interface Message {
  readonly id: number;
  readonly userId: string;
  readonly name: string;
  readonly text: string;
  /** Unix milliseconds. */
  readonly at: number;
}

/** How many lines are kept. */
const MAX_MESSAGES = 100;

/** The chat's lines, in the database. */
export class Messages {
  readonly #db: Database;

  constructor(db: Database) {
    this.#db = db;
  }

  /** The lines after the one with this id, oldest first. */
  listAfter(id: number): readonly Message[] {
    return this.#db
      .query<Message, [number]>("SELECT * FROM messages WHERE id > ? ORDER BY id")
      .all(id);
  }

  /** Stores a line, and deletes the oldest ones. */
  add(user: User, text: string, at: number): Message {
    const { lastInsertRowid } = this.#db.run(
      "INSERT INTO messages (userId, name, text, at) VALUES (?, ?, ?, ?)",
      [user.id, user.name, text, at],
    );
    const id = Number(lastInsertRowid);
    this.#db.run("DELETE FROM messages WHERE id <= ?", [id - MAX_MESSAGES]);
    return { id, userId: user.id, name: user.name, text, at };
  }
}
