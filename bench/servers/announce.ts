/** What a server tells the harness about itself, over the IPC channel. */
export interface ServerReport {
  readonly url: string;
  /** How often a handler has run since the server started. */
  readonly handled: number;
  /** Requests in progress. */
  readonly pending: number;
  /** CPU time of the process since it started, user and system, in microseconds. */
  readonly cpu: number;
  /** Memory in use, in bytes. */
  readonly rss: number;
  /** How often each session event has occurred; only for servers on Bunpie. */
  readonly events?: Readonly<Record<string, number>>;
}

/** A question of the harness: for a report, or for something that only this server can do. */
export interface Command {
  readonly name: string;
  readonly [argument: string]: unknown;
}

/** Where every subject listens: any free port, on this machine only. */
export const ADDRESS = { port: 0, hostname: "127.0.0.1" } as const;

/** Handlers count here each request that they have handled, before they answer it. */
export const tally = { handled: 0 };

/** Sends the harness a report now, and an answer to each of its questions. Ends when the harness does. */
export function announce(
  server: Pick<Bun.Server<unknown>, "url" | "pendingRequests"> | null,
  readStats?: () => object,
  answer?: (command: Command) => Promise<unknown>,
): void {
  if (server === null) throw new Error("The server does not listen.");
  const report = (): ServerReport => {
    const { user, system } = process.cpuUsage();
    return {
      url: server.url.href,
      handled: tally.handled,
      pending: server.pendingRequests,
      cpu: user + system,
      rss: process.memoryUsage.rss(),
      ...(readStats === undefined ? {} : { events: toCounts(readStats()) }),
    };
  };
  process.on("message", async (command: Command) => {
    process.send?.(command.name === "report" ? report() : await answer?.(command));
  });
  process.on("disconnect", () => process.exit());
  process.send?.(report());
}

function toCounts(stats: object): Record<string, number> {
  return Object.fromEntries(
    Object.entries(stats).filter(
      (entry): entry is [string, number] => typeof entry[1] === "number",
    ),
  );
}
