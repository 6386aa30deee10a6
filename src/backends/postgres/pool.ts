import type { EndListener, StopWatching } from "../../store/session-store.ts";
import { Connections, createName } from "./connections.ts";
import { listenOn } from "./listen.ts";
import { SilenceWatch } from "./silence.ts";

/** The result of a statement. */
export interface Rows extends ReadonlyArray<readonly unknown[]> {
  /** The number of rows written. */
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

/** In seconds: below the 350 after which some networks drop an idle connection. */
const IDLE_TIMEOUT = 300;

/**
 * In seconds: by then, after a failover behind one address, every connection has moved to the new
 * server.
 */
const MAX_LIFETIME = 30 * 60;

/**
 * How long after its deadline, in milliseconds, a statement may still prove that the server is
 * alive.
 */
const GRACE = 250;

/** How long statements may take to finish when the pool closes, in seconds. */
const CLOSING_TIME = 1;

/** Opens a pool of the backend's own. */
export function openPool(url: string, options: PoolOptions): PostgresPool {
  const { connections, connectionTimeout, queryTimeout, pooler } = options;
  const open = (max = connections): Connections => {
    const name = pooler ? undefined : createName(url);
    // Bun sends a statement before the previous one on the connection is answered, which saves Bun
    // two thirds of its CPU time. But a statement that waits for a lock then blocks those behind
    // it, and only the server can cancel it. With `prepare: false` Bun sends one statement at a
    // time and can cancel it; poolers need that, and do not accept connection settings either.
    const mode =
      name === undefined
        ? { prepare: false }
        : { connection: { statement_timeout: Math.ceil(queryTimeout), application_name: name } };
    const client = new Bun.SQL(url, {
      ...mode,
      max,
      connectionTimeout: connectionTimeout / 1000,
      idleTimeout: IDLE_TIMEOUT,
      maxLifetime: MAX_LIFETIME,
    });
    return new Connections(client, name);
  };
  return new PostgresPool(open(), {
    timeout: queryTimeout,
    canCancel: pooler,
    canListen: !pooler,
    open,
  });
}

/** Uses a pool of the app's. */
export function adoptPool(client: Bun.SQL, queryTimeout: number): PostgresPool {
  return new PostgresPool(new Connections(client), {
    timeout: queryTimeout,
    canCancel: true,
    canListen: true,
  });
}

interface Settings {
  /** How long a statement may take, in milliseconds. */
  readonly timeout: number;
  /** Whether Bun can cancel a statement that takes longer. */
  readonly canCancel: boolean;
  /** Whether notifications reach these connections. */
  readonly canListen: boolean;
  /** Opens connections to replace unresponsive or lost ones; at most `max`. */
  readonly open?: (max?: number) => Connections;
}

/**
 * The connections to the database. A statement that is not answered in time fails, whatever
 * happened to the network. Unresponsive connections are replaced: Bun would wait on them for as
 * long as the operating system does, possibly for ever.
 */
export class PostgresPool {
  #connections: Connections;
  /** Asks the server about the connections when nothing arrives on them. */
  #watch: SilenceWatch | undefined;
  readonly #settings: Settings;
  /** The connections on which a statement was lost, by its error. */
  readonly #lost = new WeakMap<object, Connections>();
  /** The number of answers so far. It tells a slow statement from a server that is gone. */
  #answers = 0;

  constructor(connections: Connections, settings: Settings) {
    this.#connections = connections;
    this.#settings = settings;
    this.#watch = this.#watchFor(connections);
  }

  /** The database's address, without the password. */
  get address(): string {
    const { hostname, port, database } = this.#connections.client.options as Record<
      string,
      unknown
    >;
    return `${String(hostname)}:${String(port)}/${String(database)}`;
  }

  /** The moment of `performance.now()` by which an operation that begins now has to be answered. */
  deadline(): number {
    return performance.now() + this.#settings.timeout;
  }

  /**
   * Runs one statement, unless the deadline has passed. After a failure the statement may still
   * take effect: see {@link settle}.
   */
  async run(statement: BoundStatement, deadline = this.deadline()): Promise<Rows> {
    for (;;) {
      const left = deadline - performance.now();
      if (left <= 0)
        throw new Error("The deadline passed before the statement was sent to PostgreSQL.");
      try {
        return await this.#attempt(statement, left);
      } catch (error) {
        // The server rolled the statement back and asks for a retry: a raised isolation level, or a
        // deadlock.
        const isUndone = error instanceof Bun.SQL.PostgresError && UNDONE.has(error.errno ?? "");
        if (!isUndone || performance.now() >= deadline) throw error;
      }
    }
  }

  /**
   * Waits until a statement that failed with this error can no longer take effect, at the latest
   * until its deadline. After a lost connection, that is when the server is back and has none of
   * the connections left that were open then.
   */
  async settle(error: unknown, deadline: number): Promise<void> {
    if (isAnswer(error) || NOT_CONNECTED.test(readBunCode(error))) return;
    const lost = this.#lost.get(Object(error));
    const lateness = Bun.sleep(Math.max(0, deadline - performance.now())).then(() => true);
    while (!(await Promise.race([lateness, lost?.areGone(this.#connections) ?? lateness])));
  }

  /**
   * Runs a transaction that sees what others have committed, for at most `timeout` milliseconds.
   */
  async transact(
    work: (transaction: Bun.TransactionSQL) => Promise<void>,
    timeout: number,
  ): Promise<void> {
    const connections = this.#connections;
    // The app may have raised the isolation level of all transactions: a transaction that waited
    // for a lock would then continue with an outdated snapshot.
    const done = connections.client.begin("ISOLATION LEVEL READ COMMITTED", work);
    await within(timeout, done, () => this.#replace(connections));
  }

  /**
   * Calls `listener` with the payload of each notification, and without one after a reconnection,
   * when some may have been lost. Returns `undefined` if notifications cannot be received.
   */
  listen(channel: string, listener: EndListener): Promise<StopWatching> | undefined {
    const { canListen, open } = this.#settings;
    if (!canListen) return undefined;
    return open === undefined
      ? listenOn(this.#connections.client, channel, listener, false)
      : listenOn(open().client, channel, listener, true);
  }

  /** Closes the connections that this pool has opened. */
  async close(): Promise<void> {
    if (this.#settings.open === undefined) return;
    const watch = this.#watch?.close();
    await this.#connections.client.close({ timeout: CLOSING_TIME });
    await watch;
  }

  async #attempt({ text, params }: BoundStatement, timeout: number): Promise<Rows> {
    const connections = this.#connections;
    const watch = this.#watch;
    const before = this.#answers;
    const query = connections.client.unsafe<Rows>(text, params).values();
    watch?.begin();
    try {
      const rows = await within(timeout, query, () =>
        this.#abandon(connections, watch, query, before),
      );
      this.#answers++;
      watch?.end(true);
      return rows;
    } catch (error) {
      if (isAnswer(error)) this.#answers++;
      watch?.end(isAnswer(error));
      if (readBunCode(error) === CLOSED) {
        this.#lost.set(Object(error), connections);
        this.#replace(connections);
      }
      // `detail` may hold the whole row, if the app has added a constraint, and errors are logged.
      Reflect.deleteProperty(Object(error), "detail");
      throw error;
    }
  }

  /**
   * Abandons a late statement. Its connections are considered dead if it is not answered within
   * another timeout, or, unless the server can be asked about them, if no statement is answered in
   * the grace period.
   */
  #abandon(
    connections: Connections,
    watch: SilenceWatch | undefined,
    query: Bun.SQL.Query<Rows>,
    before: number,
  ): void {
    if (this.#settings.canCancel) query.cancel();
    // To the server it is still pending.
    watch?.begin();
    const replace = (): void => this.#replace(connections);
    const soon = setTimeout(() => {
      if (watch === undefined && this.#answers === before) replace();
    }, GRACE);
    const later = setTimeout(replace, this.#settings.timeout);
    for (const timer of [soon, later]) timer.unref();
    const settle = (isAnswered: boolean): void => {
      if (isAnswered) this.#answers++;
      watch?.end(isAnswered);
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

  /**
   * Replaces connections; statements on the former ones may still finish within `time`, in
   * milliseconds.
   */
  #replace(former: Connections, time = this.#settings.timeout): void {
    const { open } = this.#settings;
    if (open === undefined || this.#connections !== former) return;
    void this.#watch?.close();
    this.#connections = open();
    this.#watch = this.#watchFor(this.#connections);
    void former.client.close({ timeout: time / 1000 });
  }

  #watchFor(connections: Connections): SilenceWatch | undefined {
    const { open } = this.#settings;
    if (open === undefined || !connections.isNamed) return undefined;
    const ask = (): Connections => open(1);
    return new SilenceWatch(connections, ask, () => this.#replace(connections, 0));
  }
}

/** serialization_failure and deadlock_detected. */
const UNDONE = new Set(["40001", "40P01"]);

/** Bun's codes for a connection that was never established, so that nothing was sent on it. */
const NOT_CONNECTED = /_CONNECTION_(?:REFUSED|FAILED|TIMEOUT)$/;

/** Bun's code for a connection that was lost before a statement was sent or answered. */
const CLOSED = "ERR_POSTGRES_CONNECTION_CLOSED";

/** Bun's code of an error. */
function readBunCode(error: unknown): string {
  return String((error as { readonly code?: unknown } | null)?.code);
}

/** Whether the server sent this error, which proves that it is alive. */
function isAnswer(error: unknown): boolean {
  return error instanceof Bun.SQL.PostgresError && error.errno !== undefined;
}

/** Whether Bun has cancelled a statement that the server may still be running. */
function isUnconfirmed(error: unknown): boolean {
  return (
    error instanceof Bun.SQL.PostgresError &&
    error.code === "ERR_POSTGRES_QUERY_CANCELLED" &&
    error.hint !== undefined
  );
}

/** Returns the result of `answer`; if it is late, rejects and calls `onLate`. */
function within<T>(timeout: number, answer: PromiseLike<T>, onLate: () => void): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      reject(new Error(`PostgreSQL did not answer within ${Math.round(timeout)} ms.`));
      onLate();
    }, timeout);
    answer.then(
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
