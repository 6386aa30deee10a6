import type { ForwardingNote, SessionRecord } from "../../store/record.ts";
import { isNote } from "../../store/record.ts";

/** The facts that most sessions lack. */
type RareFacts = Pick<SessionRecord, "flash" | "authenticatedAt" | "remember" | "label">;

const NO_FACTS: RareFacts = { flash: null, authenticatedAt: null, remember: null, label: null };

/**
 * A record or a note, with its places in the expiry heap and in the list of its user's or of anonymous ones. The
 * record is taken apart, and put together for who reads it: kept whole beside this, it would make 1,000,000 sessions
 * take a third more memory, and the garbage collector look at twice as many objects.
 */
export class Entry {
  readonly id: string;
  data = "";
  version = 0;
  createdAt = 0;
  touchedAt = 0;
  expiresAt = 0;
  /** Whose session it is; `null` for an anonymous one and for a note. */
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
