import type { EndListener, StopWatching } from "../../store/session-store.ts";
import { Connections, createName } from "./connections.ts";
import { listenOn } from "./listen.ts";

/** What a statement gave. */
export interface Rows extends ReadonlyArray<readonly unknown[]> {
  /** How many rows it wrote. */
  readonly affectedRows: number;
}

/** A statement with its parameters. */
export interface BoundStatement {
  readonly text: string;
  readonly params: unknown[];
}

/** How to open a pool. Times are in milliseconds. */
export interface PoolOptions {
  readonly connections: number;
  readonly connectionTimeout: number;
  readonly queryTimeout: number;
  readonly pooler: boolean;
}

/** In seconds: less than the 350 after which some networks forget an idle connection. */
const IDLE_TIMEOUT = 300;

/** In seconds. After a failover behind one address, every connection finds the new server in time. */
const MAX_LIFETIME = 30 * 60;

/** How long after its deadline, in milliseconds, a statement may still show that its server lives. */
const GRACE = 250;

/** How long, in seconds, statements have to finish on connections that are being replaced. */
const CLOSING_TIME = 1;

/** Opens connections of our own. */
export function openPool(url: string, options: PoolOptions): PostgresPool {
  const { connections, connectionTimeout, queryTimeout, pooler } = options;
  const open = (): Connections => {
    const name = pooler ? undefined : createName(url);
    // Bun sends a statement before the one ahead of it on the connection is answered, which saves it two
    // thirds of its CPU time. But one that waits for a lock then holds up those behind it, and Bun cannot
    // cancel it any more: the server has to. With `prepare: false` Bun sends them one by one, and can.
    // That is what poolers need, who take no settings for a connection either.
    const mode =
      name === undefined
        ? { prepare: false }
        : { connection: { statement_timeout: Math.ceil(queryTimeout), application_name: name } };
    const client = new Bun.SQL(url, {
      ...mode,
      max: connections,
      connectionTimeout: connectionTimeout / 1000,
      idleTimeout: IDLE_TIMEOUT,
      maxLifetime: MAX_LIFETIME,
    });
    return new Connections(client, name);
  };
  return new PostgresPool(open(), { timeout: queryTimeout, cancels: pooler, hears: !pooler, open });
}

/** Uses connections of the app's. */
export function adoptPool(client: Bun.SQL, queryTimeout: number): PostgresPool {
  return new PostgresPool(new Connections(client), {
    timeout: queryTimeout,
    cancels: true,
    hears: true,
  });
}

interface Settings {
  /** How long a statement may take, in milliseconds. */
  readonly timeout: number;
  /** Whether a statement that takes longer is to be cancelled from here. */
  readonly cancels: boolean;
  /** Whether what is listened to on a connection gets through. */
  readonly hears: boolean;
  /** Opens connections in place of those that went silent or were lost. */
  readonly open?: () => Connections;
}

/**
 * The connections to the database. A statement that is not answered in time fails, whatever has
 * become of the network. Connections that have gone silent are replaced: Bun would wait on them for as
 * long as the system does, and that may be for ever.
 */
export class PostgresPool {
  #connections: Connections;
  readonly #settings: Settings;
  /** On which connections a statement was lost, by its error. */
  readonly #lost = new WeakMap<object, Connections>();
  /** How many answers there were. Tells a slow statement from a server that is gone. */
  #answers = 0;

  constructor(connections: Connections, settings: Settings) {
    this.#connections = connections;
    this.#settings = settings;
  }

  /** Where the database is, without the password. */
  get address(): string {
    const { hostname, port, database } = this.#connections.client.options as Record<
      string,
      unknown
    >;
    return `${String(hostname)}:${String(port)}/${String(database)}`;
  }

  /** The moment of `performance.now()` by which what begins now has to be answered. */
  deadline(): number {
    return performance.now() + this.#settings.timeout;
  }

  /**
   * Runs one statement, unless the deadline has passed. It may have its effect even after this has failed:
   * see {@link settle}.
   */
  async run(statement: BoundStatement, deadline = this.deadline()): Promise<Rows> {
    for (;;) {
      const left = deadline - performance.now();
      if (left <= 0)
        throw new Error("PostgreSQL was not asked: the time for it was used up before.");
      try {
        return await this.#attempt(statement, left);
      } catch (error) {
        // The server has undone it and asks for another attempt: isolation that the app has raised,
        // or a deadlock.
        const isUndone = error instanceof Bun.SQL.PostgresError && UNDONE.has(error.errno ?? "");
        if (!isUndone || performance.now() >= deadline) throw error;
      }
    }
  }

  /**
   * Waits until nothing can come any more of a statement that has failed with this error, until its deadline
   * at the latest. If its connection was lost, that is as soon as the server is back and has none of those
   * left that were open then.
   */
  async settle(error: unknown, deadline: number): Promise<void> {
    if (isAnswer(error) || NOT_CONNECTED.test(codeOf(error))) return;
    const lost = this.#lost.get(Object(error));
    const lateness = Bun.sleep(Math.max(0, deadline - performance.now())).then(() => true);
    while (!(await Promise.race([lateness, lost?.areGone(this.#connections) ?? lateness])));
  }

  /** Runs a transaction that sees what others have committed, for at most `timeout` milliseconds. */
  async transact(
    work: (transaction: Bun.TransactionSQL) => Promise<void>,
    timeout: number,
  ): Promise<void> {
    const connections = this.#connections;
    // The app may have raised the isolation of all transactions: then one that waited for a lock would
    // go on with what it saw before.
    const done = connections.client.begin("ISOLATION LEVEL READ COMMITTED", work);
    await within(timeout, done, () => this.#replace(connections));
  }

  /**
   * Calls `listener` with the payload of each notice, and without one when some may have been lost: the
   * connection was, and is back. `undefined`: notices do not get through.
   */
  listen(channel: string, listener: EndListener): Promise<StopWatching> | undefined {
    const { hears, open } = this.#settings;
    if (!hears) return undefined;
    return open === undefined
      ? listenOn(this.#connections.client, channel, listener, false)
      : listenOn(open().client, channel, listener, true);
  }

  /** Closes what was opened here. */
  async close(): Promise<void> {
    if (this.#settings.open !== undefined)
      await this.#connections.client.close({ timeout: CLOSING_TIME });
  }

  async #attempt({ text, params }: BoundStatement, timeout: number): Promise<Rows> {
    const connections = this.#connections;
    const before = this.#answers;
    const query = connections.client.unsafe<Rows>(text, params).values();
    try {
      const rows = await within(timeout, query, () => this.#abandon(connections, query, before));
      this.#answers++;
      return rows;
    } catch (error) {
      if (isAnswer(error)) this.#answers++;
      if (codeOf(error) === CLOSED) {
        this.#lost.set(Object(error), connections);
        this.#replace(connections);
      }
      // Where the app has a constraint of its own, this is the whole row. Errors are logged.
      Reflect.deleteProperty(Object(error), "detail");
      throw error;
    }
  }

  /**
   * Lets go of a statement that is late. If nobody is answered, or it is not answered itself for as
   * long again, its connection is taken for dead.
   */
  #abandon(connections: Connections, query: Bun.SQL.Query<Rows>, before: number): void {
    if (this.#settings.cancels) query.cancel();
    const replace = (): void => this.#replace(connections);
    const soon = setTimeout(() => {
      if (this.#answers === before) replace();
    }, GRACE);
    const later = setTimeout(replace, this.#settings.timeout);
    for (const timer of [soon, later]) timer.unref();
    const settle = (isAnswered: boolean): void => {
      if (isAnswered) this.#answers++;
      clearTimeout(soon);
      clearTimeout(later);
    };
    query.then(
      () => settle(true),
      (error: unknown) => {
        if (!isUnconfirmed(error)) settle(isAnswer(error));
      },
    );
  }

  /** Opens others in the place of connections, on which statements may still finish. */
  #replace(former: Connections): void {
    const { open, timeout } = this.#settings;
    if (open === undefined || this.#connections !== former) return;
    this.#connections = open();
    void former.client.close({ timeout: timeout / 1000 });
  }
}

/** serialization_failure and deadlock_detected. */
const UNDONE = new Set(["40001", "40P01"]);

/** Bun's codes for a connection that never came about, so that nothing was sent on it. */
const NOT_CONNECTED = /_CONNECTION_(?:REFUSED|FAILED|TIMEOUT)$/;

/** Bun's code for a connection that was lost before a statement was answered, or sent. */
const CLOSED = "ERR_POSTGRES_CONNECTION_CLOSED";

/** Bun's code for an error. */
function codeOf(error: unknown): string {
  return String((error as { readonly code?: unknown } | null)?.code);
}

/** Whether the server has said so itself, which it can only do if it is there. */
function isAnswer(error: unknown): boolean {
  return error instanceof Bun.SQL.PostgresError && error.errno !== undefined;
}

/** Whether Bun has given up a statement that the server may still be running. */
function isUnconfirmed(error: unknown): boolean {
  return (
    error instanceof Bun.SQL.PostgresError &&
    error.code === "ERR_POSTGRES_QUERY_CANCELLED" &&
    error.hint !== undefined
  );
}

/** What `asked` gives, if it does so in time; else it fails, and `onLate` is called. */
function within<T>(timeout: number, asked: PromiseLike<T>, onLate: () => void): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      reject(new Error(`PostgreSQL gave no answer within ${Math.round(timeout)} ms.`));
      onLate();
    }, timeout);
    asked.then(
      (value) => {
        clearTimeout(timer);
        resolve(value);
      },
      (error: unknown) => {
        clearTimeout(timer);
        reject(error);
      },
    );
  });
}
