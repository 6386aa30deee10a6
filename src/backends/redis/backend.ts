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

/** How the Redis backend is set up. */
export interface RedisSessionBackendOptions {
  /**
   * What all keys begin with; `"bunpie:"` by default. Apps that share a server need one each. On a
   * cluster it has to hold a hash tag, such as `"{bunpie}:"`: what one script changes must lie in
   * one slot.
   */
  readonly prefix?: string;
  /**
   * How long to wait for the server, in milliseconds, until the connection counts as lost; 750 by
   * default. Only for a URL: a client of yours waits as it does.
   */
  readonly replyTimeout?: number;
  /**
   * What a URL that begins with `rediss://` needs beyond itself: a private authority, a client's
   * certificate. Only for a URL.
   */
  readonly tls?: RedisTls;
  /** The clock, in Unix milliseconds; `Date.now` by default. */
  readonly now?: () => number;
}

/** How many of a user's sessions are looked at in one round. */
const PAGE = 100;

/** How long the session that {@link RedisSessionBackend.ready} tries to keep lives, in milliseconds. */
const TRIAL_LIFETIME = 1_000;

const DEFAULT_PREFIX = "bunpie:";
const DEFAULT_REPLY_TIMEOUT = 750;
const LONGEST_REPLY_TIMEOUT = 60_000;

/**
 * So long, in milliseconds, Redis keeps a session that has ended. What has ended is for the app's
 * clock to say: Redis only clears up behind it, and must not be early.
 */
const KEPT_FOR = 60_000;

/**
 * Keeps sessions in Redis 7.0 or newer, for any number of processes and machines. Every write is one
 * script, and so one step.
 *
 * ```ts
 * new RedisSessionBackend("redis://localhost:6379");
 * new RedisSessionBackend(client); // a Bun.RedisClient that you already have
 * ```
 */
export class RedisSessionBackend extends SessionStore {
  readonly #redis: RedisConnection | OwnClient;
  readonly #prefix: string;
  readonly #writer: RedisWriter;
  #underWay = 0;
  #onIdle = (): void => undefined;
  #closed: Promise<void> | undefined;

  /**
   * `source` is a URL, or a client of yours. That one stays open when the backend closes, and should
   * neither keep commands for later nor send one twice:
   * `new Bun.RedisClient(url, { enableOfflineQueue: false })`, on which `connect()` has to be called
   * first, by you or by {@link ready}. A `Bun.RedisClient` gives up after `maxRetries` attempts to
   * reconnect, where a URL is tried for ever. Nothing is connected before it is needed.
   *
   * @throws TypeError for a source or an option that makes no sense, with the remedy.
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
   * rights, and a write. Warns of a `maxmemory-policy` that drops sessions in use, if it may ask. Nothing
   * depends on it: who waits for it at start-up learns there and then what is wrong.
   *
   * @throws Error if sessions cannot be kept there, with the remedy.
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
    return this.#begin(async () => {
      const record = await this.#find(id);
      return record !== undefined && record.expiresAt > this.now() ? record : undefined;
    });
  }

  create(id: string, record: SessionRecord): Promise<boolean> {
    return this.#write(CREATE, [id], record);
  }

  async replace(id: string, record: SessionRecord, old: SessionRecord): Promise<boolean> {
    if (isUpdate(record, old) && old.expiresAt > this.now()) {
      const args = [toHead(old), toText(record), String(old.version)];
      const reply = await this.#begin(() => this.#writer.run(UPDATE, [this.#sessionKey(id)], args));
      if (reply !== -1) return wasDone(reply);
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
    return wasDone(await this.#run(TOUCH, [this.#sessionKey(id)], this.#expiry({ expiresAt })));
  }

  async delete(id: string): Promise<string | undefined> {
    return textOrNull(await this.#run(DELETE, [this.#sessionKey(id)], [])) ?? undefined;
  }

  list(userId: string, limit: number): Promise<readonly SessionInfo[]> {
    return this.#begin(async () => {
      const live: SessionInfo[] = [];
      for (let start = 0; live.length < limit;) {
        const page = await this.#listPage(userId, start);
        if (page.ids === 0) break;
        live.push(...page.live);
        start += page.ids - page.gone;
      }
      return live.toSorted((one, other) => other.touchedAt - one.touchedAt).slice(0, limit);
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
      // Where all that it met was gone already, there may be more behind it.
      if (ids.length > 0 || count === 0) return ids.map(String);
    }
  }

  /** Has nothing to do: Redis removes a session by itself, a minute after its end. */
  sweep(): number {
    return 0;
  }

  /**
   * Subscribes, on a connection of its own, to the channel `<prefix>ends`. A client of yours has to have
   * `duplicate()` for it, as Bun's has.
   */
  override watchEnds(listener: EndListener): MaybePromise<StopWatching | undefined> {
    if (this.#closed !== undefined) throw new Error("The session store is closed.");
    const open = this.#redis.duplicate?.bind(this.#redis);
    return open === undefined ? undefined : subscribe(open, `${this.#prefix}ends`, listener);
  }

  /** Waits for what was begun. The connection that was made for a URL is then closed. */
  close(): Promise<void> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  async #close(): Promise<void> {
    if (this.#underWay > 0) {
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

  /** Some of a user's ids, the most recently touched first, and what is known of those that are live. */
  async #listPage(
    userId: string,
    start: number,
  ): Promise<{ readonly ids: number; readonly gone: number; readonly live: SessionInfo[] }> {
    const set = this.#userKey(userId);
    const range = [String(start), String(start + PAGE - 1)];
    const ids = toList(await this.#redis.send("ZRANGE", [set, ...range, "REV"])).map(String);
    const heads = await Promise.all(ids.map((id) => this.#readHead(id)));
    const now = this.now();
    const gone = ids.filter((_, index) => heads[index] === "");
    const live = ids.flatMap((id, index) => {
      const facts = readFacts(heads[index] ?? "");
      const isTheirs = facts?.userId === userId && facts.expiresAt > now;
      return isTheirs ? [toInfo(id, userId, facts)] : [];
    });
    if (gone.length > 0) await this.#redis.send("ZREM", [set, ...gone]);
    return { ids: ids.length, gone: gone.length, live };
  }

  /** The first bytes of a session's text; empty where there is none. */
  async #readHead(id: string): Promise<string> {
    try {
      const args = [this.#sessionKey(id), "0", String(HEAD_BYTES - 1)];
      return textOrNull(await this.#redis.send("GETRANGE", args)) ?? "";
    } catch (error) {
      if (isReply(error, "WRONGTYPE")) return "?";
      throw error;
    }
  }

  async #find(id: string): Promise<SessionRecord | ForwardingNote | undefined> {
    try {
      const text = textOrNull(await this.#redis.send("GET", [this.#sessionKey(id)]));
      return text === null ? undefined : toRecord(text, this.now());
    } catch (error) {
      // What is kept under the key is no text at all.
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
    // The scripts know it anyway. A cluster has to be told, so that it can refuse two slots.
    if (record.userId !== null) keys.push(this.#userKey(record.userId));
    const [, ttl] = this.#expiry(record);
    const contents = [toUser(record.userId), toText(record), String(version), ...rest];
    return wasDone(await this.#run(script, keys, [String(record.touchedAt), ttl, ...contents]));
  }

  #run(script: Script, keys: readonly string[], args: readonly string[]): Promise<unknown> {
    return this.#begin(() =>
      this.#writer.run(script, keys, [String(this.now()), this.#prefix, ...args]),
    );
  }

  async #begin<T>(work: () => Promise<T>): Promise<T> {
    if (this.#closed !== undefined) throw new Error("The session store is closed.");
    this.#underWay++;
    try {
      return await work();
    } catch (error) {
      throw isForbidden(error) ? withRemedy(error) : error;
    } finally {
      this.#underWay--;
      if (this.#underWay === 0) this.#onIdle();
    }
  }

  #sessionKey(id: string): string {
    return `${this.#prefix}session:${id}`;
  }

  #userKey(userId: string): string {
    return `${this.#prefix}user:${toUser(userId)}`;
  }

  /**
   * When a record expires, and for how long Redis is to keep it; 0 for one that is over. Redis is told
   * a duration and no time, so that its clock may show what it likes.
   */
  #expiry(record: Pick<SessionRecord, "expiresAt">): [expiresAt: string, ttl: string] {
    const expiresAt = toExpiry(record);
    const left = expiresAt - this.now();
    return [String(expiresAt), left > 0 ? String(Math.ceil(left) + KEPT_FOR) : "0"];
  }
}

/** Whether nothing differs but the contents and the version: no index, no expiry. 0: cannot be read. */
function isUpdate(record: SessionRecord, old: SessionRecord): boolean {
  return (
    old.version !== 0 &&
    record.userId === old.userId &&
    record.touchedAt === old.touchedAt &&
    record.expiresAt === old.expiresAt
  );
}

/** Whether the user lacks a right. A script's error does not even say which. */
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

function wasDone(reply: unknown): boolean {
  if (typeof reply !== "number") throw unexpected(reply);
  return reply === 1;
}

function textOrNull(reply: unknown): string | null {
  if (typeof reply !== "string" && reply !== null) throw unexpected(reply);
  return reply;
}

function toList(reply: unknown): readonly unknown[] {
  if (!Array.isArray(reply)) throw unexpected(reply);
  return reply;
}

function unexpected(reply: unknown): TypeError {
  return new TypeError(
    `The Redis client gave ${Bun.inspect(reply).slice(0, 40)}. It has to give texts as strings, integers as ` +
      "numbers, lists as arrays and nothing as null, as Bun.RedisClient does.",
  );
}

const OPTIONS = ["prefix", "replyTimeout", "tls", "now"];

function checkOptions(source: unknown, options: RedisSessionBackendOptions): void {
  const { prefix = DEFAULT_PREFIX, replyTimeout = DEFAULT_REPLY_TIMEOUT } = options;
  refuseUnknown("RedisSessionBackend", options, OPTIONS);
  if (typeof source !== "string" && typeof (source as RedisLike | null)?.send !== "function") {
    throw new TypeError(
      'RedisSessionBackend needs a URL such as "redis://localhost:6379", a Bun.RedisClient, or ' +
        "anything else that has a method send(command, args).",
    );
  }
  if (typeof prefix !== "string") {
    throw new TypeError(
      `\`prefix\` is ${String(prefix)}; it has to be a string. Leave it out for "${DEFAULT_PREFIX}".`,
    );
  }
  const forUrl = (["replyTimeout", "tls"] as const).find((name) => options[name] !== undefined);
  if (typeof source !== "string" && forUrl !== undefined) {
    throw new TypeError(
      `\`${forUrl}\` is for a connection that is made for a URL. A client of yours has options of its own.`,
    );
  }
  if (!(replyTimeout >= 1 && replyTimeout <= LONGEST_REPLY_TIMEOUT)) {
    throw new TypeError(
      `\`replyTimeout\` is ${replyTimeout}; it has to be milliseconds, from 1 to ${LONGEST_REPLY_TIMEOUT}.`,
    );
  }
}
