/** Below the ports that systems give to connections, and to servers on port 0. */
const FIRST = 20_000;
const COUNT = 12_000;

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
