import type { EndListener, StopWatching } from "../../store/session-store.ts";

/** How long, in milliseconds, to wait before another connection takes the place of a lost one. */
const PAUSE = 250;

/**
 * Subscribes to a channel, on a connection of its own, that `open` opens. Another takes its place when it is lost, and the
 * listener is then called without ids: what was published meanwhile is lost.
 *
 * @throws Error if there is no connection to begin with.
 */
export async function subscribe(
  open: () => Promise<Bun.RedisClient>,
  channel: string,
  listener: EndListener,
): Promise<StopWatching> {
  let isStopped = false;
  let timer: ReturnType<typeof setTimeout> | undefined;
  let client: Bun.RedisClient | undefined;
  const lose = (lost: Bun.RedisClient | undefined): void => {
    if (isStopped || lost !== client) return;
    client = undefined;
    lost?.close();
    timer = setTimeout(() => void reconnect(), PAUSE);
    timer.unref();
  };
  const connect = async (): Promise<void> => {
    const next = await open();
    try {
      await next.subscribe(channel, (id) => listener([id]));
    } catch (error) {
      next.close();
      throw error;
    }
    // Bun would connect again by itself, by default, but forget what was subscribed to.
    Object.assign(next, { onconnect: () => lose(next), onclose: () => lose(next) });
    client = next;
    if (isStopped) next.close();
  };
  const reconnect = async (): Promise<void> => {
    try {
      await connect();
      listener();
    } catch {
      lose(client);
    }
  };
  await connect();
  return () => {
    isStopped = true;
    clearTimeout(timer);
    client?.close();
  };
}
