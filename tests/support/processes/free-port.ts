/**
 * Below the ports that systems give to connections, and to servers on port 0. So is the port that is
 * higher by 10,000, on which nodes of a Redis cluster talk to each other.
 */
const FIRST = 11_000;
const COUNT = 9_000;

/**
 * A port that nothing uses. It stays free until the caller uses it, unless another call happens to
 * choose the same one: the system gives none of these ports to anybody.
 */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = FIRST + Math.floor(Math.random() * COUNT);
    try {
      await Bun.serve({ port, fetch: () => new Response() }).stop(true);
      return port;
    } catch {
      // It is in use.
    }
  }
}
