import { refuseUnknown } from "../../store/known-options.ts";
import type { MaybePromise } from "../../store/maybe-promise.ts";
import type { ForwardingNote, SessionInfo, SessionRecord } from "../../store/record.ts";
import { NEW_RECORD, NOTE_LIFETIME, toInfo } from "../../store/record.ts";
import type { EndListener, StopWatching } from "../../store/session-store.ts";
import { SessionStore } from "../../store/session-store.ts";
import type { RedisLike } from "./connection.ts";
import { RedisConnection } from "./connection.ts";
import { isReply } from "./errors.ts";
import { OwnClient } from "./own-client.ts";
import { checkServer, warnOfEviction } from "./readiness.ts";
import {
  HEAD_BYTES,
  isNoteText,
  readFacts,
  toExpiry,
  toHead,
  toNoteText,
  toRecord,
  toText,
  toUnreadable,
  toUser,
} from "./record.ts";
import type { Script } from "./scripts.ts";
import { CREATE, DELETE, DELETE_ALL, REPLACE, ROTATE, TOUCH, UPDATE } from "./scripts.ts";
import { subscribe } from "./subscribe.ts";
import type { RedisTls } from "./tls.ts";
import { RedisWriter } from "./writer.ts";

export type { RedisLike } from "./connection.ts";
export type { RedisTls } from "./tls.ts";

/** Options of {@link RedisSessionBackend}. */
export interface RedisSessionBackendOptions {
  /**
   * The prefix of all keys; `"bunpie:"` by default. Apps that share a server need different
   * prefixes. On a cluster it has to contain a hash tag, such as `"{bunpie}:"`: all keys of one
   * script must be in one slot.
   */
  readonly prefix?: string;
  /**
   * How long to wait for a reply, in milliseconds, before the connection is considered lost; 750 by
   * default, at most a minute. Keep it below the `storeTimeout` of the sessions. Only with a URL:
   * your own client has its own timeout.
   */
  readonly replyTimeout?: number;
  /**
   * TLS settings for a `rediss://` URL: a private authority, a client certificate. Only with a URL.
   */
  readonly tls?: RedisTls;
  /** The clock, in Unix milliseconds; `Date.now` by default. */
  readonly now?: () => number;
}

/** How many of a user's sessions are read at once. */
const ROUND = 100;

/**
 * The lifetime of the session that {@link RedisSessionBackend.ready} tries to store, in
 * milliseconds.
 */
const TRIAL_LIFETIME = 1_000;

const DEFAULT_PREFIX = "bunpie:";
const DEFAULT_REPLY_TIMEOUT = 750;
const LONGEST_REPLY_TIMEOUT = 60_000;

/**
 * How long Redis keeps an expired session, in milliseconds. The app's clock decides what has
 * expired; Redis only cleans up, and must not do so early.
 */
const KEPT_FOR = 60_000;

/**
 * Keeps sessions in Redis 7.0 or newer, for any number of processes and machines. Every write is
 * one script and therefore atomic.
 *
 * ```ts
 * new RedisSessionBackend("redis://localhost:6379");
 * new RedisSessionBackend(client); // an existing Bun.RedisClient
 * ```
 */
export class RedisSessionBackend extends SessionStore {
  readonly #redis: RedisConnection | OwnClient;
  readonly #prefix: string;
  readonly #writer: RedisWriter;
  #pending = 0;
  #onIdle = (): void => undefined;
  #closed: Promise<void> | undefined;

  /**
   * `source` is a URL or a client of yours, which stays open when the backend closes. Your client
   * should neither queue commands while it is offline nor send a command twice: create it with `new
   * Bun.RedisClient(url, { enableOfflineQueue: false
   * })`, and call its `connect()` or {@link ready} first. A `Bun.RedisClient` stops reconnecting after `maxRetries`
   * attempts; with a URL, the backend never stops. It connects when it is first needed.
   *
   * @throws TypeError for an invalid source or option; the message says what to do.
   */
  constructor(source: string | RedisLike, options: RedisSessionBackendOptions = {}) {
    super(options.now);
    const { prefix = DEFAULT_PREFIX, replyTimeout = DEFAULT_REPLY_TIMEOUT } = options;
    checkOptions(source, options);
    this.#prefix = prefix;
    this.#redis =
      typeof source === "string"
        ? new RedisConnection(source, replyTimeout, options.tls)
        : new OwnClient(source);
    this.#writer = new RedisWriter(this.#redis, replyTimeout);
  }

  /**
   * Connects, and checks that sessions can be kept there: the server's version and role, the user's
   * rights, and a write. Logs a warning if the `maxmemory-policy` evicts sessions in use and the
   * user may read it. Calling it is optional; call it at start-up to learn early what is wrong.
   *
   * @throws Error if sessions cannot be kept there; the message says what to do.
   */
  ready(): Promise<void> {
    return this.#begin(async () => {
      const { account } = this.#redis;
      await this.#redis.connect();
      await checkServer(this.#redis, account, this.#prefix);
      await this.#tryWriting();
      await warnOfEviction(this.#redis, account);
    });
  }

  read(id: string): Promise<SessionRecord | ForwardingNote | undefined> {
    return this.#begin(() => this.#find(id));
  }

  create(id: string, record: SessionRecord): Promise<boolean> {
    return this.#write(CREATE, [id], record);
  }

  async replace(id: string, record: SessionRecord, old: SessionRecord): Promise<boolean> {
    if (isUpdate(record, old) && old.expiresAt > this.now()) {
      const args = [toHead(old), toText(record), String(old.version)];
      const reply = await this.#begin(() => this.#writer.run(UPDATE, [this.#sessionKey(id)], args));
      if (reply !== -1) return isDone(reply);
    }
    return this.#write(REPLACE, [id], record, old.version);
  }

  rotate(
    oldId: string,
    newId: string,
    record: SessionRecord,
    old: SessionRecord,
  ): Promise<boolean> {
    const note = { supersededBy: newId, expiresAt: this.now() + NOTE_LIFETIME };
    const [, ttl] = this.#expiry(note);
    return this.#write(ROTATE, [oldId, newId], record, old.version, [toNoteText(note), ttl]);
  }

  async touch(id: string, expiresAt: number): Promise<boolean> {
    return isDone(await this.#run(TOUCH, [this.#sessionKey(id)], this.#expiry({ expiresAt })));
  }

  async delete(id: string): Promise<string | undefined> {
    return toTextOrNull(await this.#run(DELETE, [this.#sessionKey(id)], [])) ?? undefined;
  }

  list(userId: string, limit: number): Promise<readonly SessionInfo[]> {
    return this.#begin(async () => {
      const infos = new Map<string, SessionInfo | undefined>();
      for (let count = limit; ;) {
        // All ids at once: they change places while their facts are read.
        const ids = await this.#listIds(userId, count);
        const unread = ids.filter((id) => !infos.has(id));
        const hasMoved = await this.#readInfos(userId, unread, infos);
        if (hasMoved) continue;
        const live = ids.flatMap((id) => infos.get(id) ?? []);
        if (live.length >= limit || ids.length < count) {
          return live.toSorted((one, other) => other.touchedAt - one.touchedAt).slice(0, limit);
        }
        count += ids.length - live.length;
      }
    });
  }

  async deleteAll(
    userId: string,
    exceptId: string | undefined,
    limit: number,
  ): Promise<readonly string[]> {
    const args = [toUser(userId), exceptId ?? "", String(limit)];
    for (;;) {
      const reply = toList(await this.#run(DELETE_ALL, [this.#userKey(userId)], args));
      const [count, ...ids] = reply;
      // If the script met only ids of sessions that are gone, more may follow.
      if (ids.length > 0 || count === 0) return ids.map(String);
    }
  }

  /** Does nothing: Redis itself removes a session, a minute after it expired. */
  sweep(): number {
    return 0;
  }

  /**
   * Subscribes, on a separate connection, to the channel `<prefix>ends`. Your own client needs
   * `duplicate()` for this, as Bun's has.
   */
  override watchEnds(listener: EndListener): MaybePromise<StopWatching | undefined> {
    if (this.#closed !== undefined) throw new Error("The session store is closed.");
    const open = this.#redis.duplicate?.bind(this.#redis);
    return open === undefined ? undefined : subscribe(open, `${this.#prefix}ends`, listener);
  }

  /** Waits for operations in progress, then closes the connection that was opened for a URL. */
  close(): Promise<void> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  async #close(): Promise<void> {
    if (this.#pending > 0) {
      await new Promise<void>((resolve) => {
        this.#onIdle = resolve;
      });
    }
    this.#redis.close();
  }

  async #tryWriting(): Promise<void> {
    const now = this.now();
    const facts = { createdAt: now, touchedAt: now, expiresAt: now + TRIAL_LIFETIME };
    try {
      await this.#write(CREATE, [crypto.randomUUID()], { ...NEW_RECORD, ...facts, data: "" });
    } catch (cause) {
      const { server } = this.#redis.account;
      throw new Error(`${server} refuses to write: ${(cause as Error).message}`, { cause });
    }
  }

  /** The ids in a user's set, at most `count`, the most recently touched first. */
  async #listIds(userId: string, count: number): Promise<string[]> {
    const range = ["0", String(count - 1), "REV"];
    return toList(await this.#redis.send("ZRANGE", [this.#userKey(userId), ...range])).map(String);
  }

  /**
   * Adds the entries of the user's live sessions among these, and `undefined` for the others, which
   * are removed from the set if they are gone. Returns whether one has got a new id, which is then
   * in the set.
   */
  async #readInfos(
    userId: string,
    ids: readonly string[],
    infos: Map<string, SessionInfo | undefined>,
  ): Promise<boolean> {
    const heads: string[] = [];
    for (let start = 0; start < ids.length; start += ROUND) {
      const round = ids.slice(start, start + ROUND);
      heads.push(...(await Promise.all(round.map((id) => this.#readHead(id)))));
    }
    const now = this.now();
    for (const [index, id] of ids.entries()) {
      const facts = readFacts(heads[index] ?? "");
      const isTheirs = facts?.userId === userId && facts.expiresAt > now;
      infos.set(id, isTheirs ? toInfo(id, userId, facts) : undefined);
    }
    const gone = ids.filter((_, index) => heads[index] === "");
    if (gone.length > 0) await this.#redis.send("ZREM", [this.#userKey(userId), ...gone]);
    return heads.some(isNoteText);
  }

  /** The first bytes of a session's text; `""` if there is no session. */
  async #readHead(id: string): Promise<string> {
    try {
      const args = [this.#sessionKey(id), "0", String(HEAD_BYTES - 1)];
      return toTextOrNull(await this.#redis.send("GETRANGE", args)) ?? "";
    } catch (error) {
      if (isReply(error, "WRONGTYPE")) return "?";
      throw error;
    }
  }

  async #find(id: string): Promise<SessionRecord | ForwardingNote | undefined> {
    try {
      const text = toTextOrNull(await this.#redis.send("GET", [this.#sessionKey(id)]));
      return text === null ? undefined : toRecord(text, this.now());
    } catch (error) {
      // The key holds a value that is not a string.
      if (isReply(error, "WRONGTYPE")) return toUnreadable(this.now());
      throw error;
    }
  }

  async #write(
    script: Script,
    ids: readonly string[],
    record: SessionRecord,
    version = 0,
    rest: readonly string[] = [],
  ): Promise<boolean> {
    const keys = ids.map((id) => this.#sessionKey(id));
    // The scripts can derive this key, but a cluster needs it to refuse keys in two slots.
    if (record.userId !== null) keys.push(this.#userKey(record.userId));
    const [, ttl] = this.#expiry(record);
    const contents = [toUser(record.userId), toText(record), String(version), ...rest];
    return isDone(await this.#run(script, keys, [String(record.touchedAt), ttl, ...contents]));
  }

  #run(script: Script, keys: readonly string[], args: readonly string[]): Promise<unknown> {
    return this.#begin(() =>
      this.#writer.run(script, keys, [String(this.now()), this.#prefix, ...args]),
    );
  }

  async #begin<T>(work: () => Promise<T>): Promise<T> {
    if (this.#closed !== undefined) throw new Error("The session store is closed.");
    this.#pending++;
    try {
      return await work();
    } catch (error) {
      throw isForbidden(error) ? withRemedy(error) : error;
    } finally {
      this.#pending--;
      if (this.#pending === 0) this.#onIdle();
    }
  }

  #sessionKey(id: string): string {
    return `${this.#prefix}session:${id}`;
  }

  #userKey(userId: string): string {
    return `${this.#prefix}user:${toUser(userId)}`;
  }

  /**
   * When a record expires, and how long Redis keeps it; 0 if it has expired. A duration rather than
   * a time, so that Redis's clock does not matter.
   */
  #expiry(record: Pick<SessionRecord, "expiresAt">): [expiresAt: string, ttl: string] {
    const expiresAt = toExpiry(record);
    const left = expiresAt - this.now();
    return [String(expiresAt), left > 0 ? String(Math.ceil(left) + KEPT_FOR) : "0"];
  }
}

/**
 * Whether only the contents and the version differ: no index, no expiry. Version 0 marks an
 * unreadable session.
 */
function isUpdate(record: SessionRecord, old: SessionRecord): boolean {
  return (
    old.version !== 0 &&
    record.userId === old.userId &&
    record.touchedAt === old.touchedAt &&
    record.expiresAt === old.expiresAt
  );
}

/** Whether the user lacks a right. A script's error does not say which. */
function isForbidden(error: unknown): error is Error {
  return (
    isReply(error, "NOPERM") ||
    (isReply(error) && /can't run this command|ACL failure in script/.test(String(error)))
  );
}

function withRemedy(error: Error): Error {
  return new Error(
    `${error.message.replace(/\.$/, "")}. \`await backend.ready()\` names the rights that the user lacks.`,
    { cause: error },
  );
}

function isDone(reply: unknown): boolean {
  if (typeof reply !== "number") throw makeReplyError(reply);
  return reply === 1;
}

function toTextOrNull(reply: unknown): string | null {
  if (typeof reply !== "string" && reply !== null) throw makeReplyError(reply);
  return reply;
}

function toList(reply: unknown): readonly unknown[] {
  if (!Array.isArray(reply)) throw makeReplyError(reply);
  return reply;
}

function makeReplyError(reply: unknown): TypeError {
  return new TypeError(
    `The Redis client returned ${Bun.inspect(reply).slice(0, 40)}. It has to return text as strings, integers as ` +
      "numbers, lists as arrays and no value as null, as Bun.RedisClient does.",
  );
}

const OPTIONS = ["prefix", "replyTimeout", "tls", "now"];

function checkOptions(source: unknown, options: RedisSessionBackendOptions): void {
  const { prefix = DEFAULT_PREFIX, replyTimeout = DEFAULT_REPLY_TIMEOUT } = options;
  refuseUnknown("RedisSessionBackend", options, OPTIONS);
  if (typeof source !== "string" && typeof (source as RedisLike | null)?.send !== "function") {
    throw new TypeError(
      'RedisSessionBackend needs a URL such as "redis://localhost:6379", a Bun.RedisClient, or ' +
        "any object with a method send(command, args).",
    );
  }
  if (typeof prefix !== "string") {
    throw new TypeError(
      `\`prefix\` is ${String(prefix)}; it has to be a string. Leave it out for "${DEFAULT_PREFIX}".`,
    );
  }
  const forUrl = (["replyTimeout", "tls"] as const).find((name) => options[name] !== undefined);
  if (typeof source !== "string" && forUrl !== undefined) {
    throw new TypeError(`\`${forUrl}\` applies only to a URL. Set it on your own client.`);
  }
  const isInRange = replyTimeout >= 1 && replyTimeout <= LONGEST_REPLY_TIMEOUT;
  if (!Number.isFinite(replyTimeout) || !isInRange) {
    throw new TypeError(
      `\`replyTimeout\` is ${replyTimeout}; it has to be milliseconds, from 1 to ${LONGEST_REPLY_TIMEOUT}.`,
    );
  }
}
