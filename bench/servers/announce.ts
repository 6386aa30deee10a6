/** What a server tells the harness about itself, over the IPC channel. */
export interface ServerReport {
  readonly url: string;
  /** How often the counter's handler has run, since the server started. */
  readonly handled: number;
  /** Requests under way. */
  readonly pending: number;
  /** Memory in use, in bytes. */
  readonly rss: number;
}

/** Where every contestant listens: any free port, on this machine only. */
export const ADDRESS = { port: 0, hostname: "127.0.0.1" } as const;

/** Counters note here that they have handled a request, before they answer it. */
export const tally = { handled: 0 };

/** Sends the harness a report now, and one whenever it asks. Ends with the harness. */
export function announce(
  server: Pick<Bun.Server<unknown>, "url" | "pendingRequests"> | null,
): void {
  if (server === null) throw new Error("The server does not listen.");
  const report = (): void => {
    process.send?.({
      url: server.url.href,
      handled: tally.handled,
      pending: server.pendingRequests,
      rss: process.memoryUsage.rss(),
    } satisfies ServerReport);
  };
  process.on("message", report);
  process.on("disconnect", () => process.exit());
  report();
}
