import type { ForwardingNote, SessionRecord } from "../../store/record.ts";
import { isNote } from "../../store/record.ts";

/** Facts that most sessions do not have. */
type RareFacts = Pick<SessionRecord, "flash" | "authenticatedAt" | "remember" | "label">;

const NO_FACTS: RareFacts = { flash: null, authenticatedAt: null, remember: null, label: null };

/**
 * A record or a note, with its positions in the expiry heap and in a recency list: its user's, or
 * that of anonymous sessions.
 *
 * The record is stored in fields and assembled when it is read: keeping whole records makes
 * 1,000,000 sessions take a third more memory and doubles the objects that the garbage collector
 * visits.
 */
export class Entry {
  readonly id: string;
  data = "";
  version = 0;
  createdAt = 0;
  touchedAt = 0;
  expiresAt = 0;
  /** The user of the session; `null` for an anonymous session or a note. */
  userId: string | null = null;
  rest: RareFacts | ForwardingNote = NO_FACTS;
  dueAt = 0;
  heapIndex = -1;
  older: Entry | undefined = undefined;
  newer: Entry | undefined = undefined;

  constructor(id: string, content: SessionRecord | ForwardingNote) {
    this.id = id;
    this.content = content;
  }

  get isNote(): boolean {
    return "supersededBy" in this.rest;
  }

  get flash(): string | null {
    return "flash" in this.rest ? this.rest.flash : null;
  }

  get label(): string | null {
    return "label" in this.rest ? this.rest.label : null;
  }

  get content(): SessionRecord | ForwardingNote {
    const { rest } = this;
    if ("supersededBy" in rest) return rest;
    const { data, version, createdAt, touchedAt, expiresAt, userId } = this;
    const { flash, authenticatedAt, remember, label } = rest;
    return {
      data,
      flash,
      version,
      createdAt,
      touchedAt,
      expiresAt,
      userId,
      authenticatedAt,
      remember,
      label,
    };
  }

  set content(content: SessionRecord | ForwardingNote) {
    this.expiresAt = content.expiresAt;
    if (isNote(content)) {
      this.rest = content;
      return;
    }
    const { flash, authenticatedAt, remember, label } = content;
    this.data = content.data;
    this.version = content.version;
    this.createdAt = content.createdAt;
    this.touchedAt = content.touchedAt;
    this.userId = content.userId;
    this.rest =
      flash === null && authenticatedAt === null && remember === null && label === null
        ? NO_FACTS
        : { flash, authenticatedAt, remember, label };
  }
}
