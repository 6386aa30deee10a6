import type { EndListener, StopWatching } from "../../store/session-store.ts";

/** How long to wait before replacing a lost connection, in milliseconds. */
const PAUSE = 250;

/**
 * Subscribes to a channel, on a separate connection that `open` opens. A lost connection is
 * replaced, and the listener is then called without ids, because messages may have been lost
 * meanwhile.
 *
 * @throws Error if the first connection fails.
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
    // By default Bun would reconnect by itself, but lose the subscription.
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
