// What all peers share. Plain JavaScript, because Node runs some of these programs and Bun the others.

/** Counters count here each request that they have handled, before they answer it. */
export const tally = { handled: 0 };

/** Where every peer listens: any free port, on this machine only. */
export const ADDRESS = { port: 0, hostname: "127.0.0.1" };

/** The text of a page; the harness reads the number. */
export function show(visits) {
  return `You have visited ${visits ?? 0} times.`;
}

/** At least 32 characters, as several libraries demand. */
export const SECRET = "not a secret, and 32 characters or more";

/** Which store, where it is, and a name that nothing else uses there. */
export const [, , storage = "memory", target = "", name = ""] = process.argv;

/**
 * Sends the harness a report now, and another whenever it asks. Ends when the harness does.
 *
 * @param {string | URL} url where the server listens
 * @param {() => number} pending how many requests are in progress, where this is known
 */
export function announce(url, pending = () => 0) {
  const report = () => {
    const { user, system } = process.cpuUsage();
    process.send({
      url: String(url),
      handled: tally.handled,
      pending: pending(),
      cpu: user + system,
      rss: process.memoryUsage.rss(),
      versions: { bun: process.versions.bun, node: process.versions.node },
    });
  };
  process.on("message", report);
  process.on("disconnect", () => process.exit());
  report();
}

/** For a `node:http` server. */
export function announceNode(server) {
  server.on("listening", () => announce(`http://127.0.0.1:${server.address().port}/`));
}
