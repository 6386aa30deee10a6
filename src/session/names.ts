import { hashId } from "./id.ts";

/** Separates a namespace from a user's id; no app has it in either. */
const SEPARATOR = "\u001f";

const MAX_LENGTH = 255;

/**
 * What the store knows sessions and users by. Managers whose cookies have different names, or whose
 * namespaces differ, never open each other's sessions, also in one store: the name and the namespace
 * go into the hash of the id. Namespaces set users apart too.
 */
export class Names {
  readonly #realm: string;
  readonly #prefix: string;

  constructor(cookieName: string, namespace: string | undefined) {
    const isDefault = cookieName === "session_id" && namespace === undefined;
    this.#realm = isDefault ? "" : `\n${cookieName}\n${namespace ?? ""}`;
    this.#prefix = namespace === undefined ? "" : `${namespace}${SEPARATOR}`;
  }

  /** What the store knows the session by that this id opens. */
  toKey(id: string): string {
    return this.#realm === "" ? hashId(id) : hashId(id + this.#realm);
  }

  toStoredUser(userId: string): string {
    return this.#prefix + userId;
  }

  /** The user's id as the app knows it. */
  toUserId(stored: string | null): string | null {
    return stored === null ? null : stored.slice(this.#prefix.length);
  }
}

/**
 * Refuses texts that not every store keeps as they are: PostgreSQL has no NUL, and UTF-8 no lone
 * surrogates, of which two different ones would become one user.
 *
 * @throws TypeError with the remedy.
 */
export function checkText(what: string, value: unknown): asserts value is string {
  if (typeof value !== "string") {
    throw new TypeError(
      `${what} has to be a string, not ${typeof value}, such as String(user.id).`,
    );
  }
  if (value.length > MAX_LENGTH) {
    throw new TypeError(
      `${what} has ${value.length} characters; it may have ${MAX_LENGTH}. Use a shorter one, such as the row's key.`,
    );
  }
  if (value.includes("\u0000") || !value.isWellFormed()) {
    throw new TypeError(
      `${what} holds NUL or half of a surrogate pair, which not every store can keep. Use String(user.id) or the like.`,
    );
  }
}
