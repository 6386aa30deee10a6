import { hashId } from "./id.ts";

/** Separates a namespace from a user's id. No namespace contains it, and none is empty. */
const SEPARATOR = "\u001f";

const MAX_LENGTH = 255;

/**
 * The keys and user ids under which the store keeps sessions. The cookie's name and the namespace
 * go into the hash of the id: managers that share a store but differ in either never open each
 * other's sessions. A namespace also prefixes user ids, which separates users.
 */
export class Names {
  readonly #realm: string;
  readonly #prefix: string;

  constructor(cookieName: string, namespace: string | undefined) {
    const isDefault = cookieName === "session_id" && namespace === undefined;
    this.#realm = isDefault ? "" : `\n${cookieName}\n${namespace ?? ""}`;
    this.#prefix = namespace === undefined ? "" : `${namespace}${SEPARATOR}`;
  }

  /** The key under which the store keeps the session that this id opens. */
  toKey(id: string): string {
    return this.#realm === "" ? hashId(id) : hashId(id + this.#realm);
  }

  /**
   * The user id that the store keeps. Accepts ids that are too long for a login: earlier versions
   * have stored such.
   *
   * Without a namespace, an id that contains the separator gets another in front. It would otherwise
   * name a user of the namespace before the separator.
   *
   * @throws TypeError if it is not a string, or contains NUL or a lone surrogate.
   */
  toStoredUser(userId: string): string {
    // Not every program is type-checked, and `meta.userId` is null for anonymous visitors.
    if (typeof userId !== "string") {
      throw new TypeError(
        `The user's id has to be a string, but it is ${String(userId)}. Check first that somebody is logged in.`,
      );
    }
    checkCharacters("The user's id", userId);
    const isPlain = this.#prefix !== "" || !userId.includes(SEPARATOR);
    return isPlain ? this.#prefix + userId : SEPARATOR + userId;
  }

  /** The inverse of {@link toStoredUser}; `null` stays `null`. */
  toUserId(stored: string | null): string | null {
    if (stored === null) return null;
    const isPlain = this.#prefix !== "" || !stored.startsWith(SEPARATOR);
    return stored.slice(isPlain ? this.#prefix.length : SEPARATOR.length);
  }
}

/**
 * Refuses text that some store cannot keep unchanged, and text that is too long.
 *
 * @throws TypeError with the remedy.
 */
export function checkText(what: string, value: unknown): asserts value is string {
  if (typeof value !== "string") {
    throw new TypeError(
      `${what} has to be a string, but its type is ${typeof value}. Pass a string, such as String(user.id).`,
    );
  }
  if (value.length > MAX_LENGTH) {
    throw new TypeError(
      `${what} has ${value.length} characters; at most ${MAX_LENGTH} are allowed. Use a shorter text, such as a database key.`,
    );
  }
  checkCharacters(what, value);
}

/**
 * PostgreSQL has no NUL, and UTF-8 turns every lone surrogate into the same character, which would
 * merge two users into one.
 */
function checkCharacters(what: string, value: string): void {
  if (value.includes("\u0000") || !value.isWellFormed()) {
    throw new TypeError(
      `${what} contains NUL or a lone surrogate, which not every store can keep. Use plain text, such as a database key.`,
    );
  }
}
