import type { EndListener, StopWatching } from "../../store/session-store.ts";

/**
 * Listens to a channel, on a connection that Bun opens beside the pool and reopens when it is lost.
 * Stopping closes the client if `isOurs`.
 *
 * @throws Error if the first connection fails.
 */
export async function listenOn(
  client: Bun.SQL,
  channel: string,
  listener: EndListener,
  isOurs: boolean,
): Promise<StopWatching> {
  const close = async (): Promise<void> => {
    if (isOurs) await client.close({ timeout: 0 });
  };
  try {
    const onNotice = (id: string): void => listener([id]);
    // The third argument runs whenever the server has begun to listen; earlier notices are lost.
    const subscription = await client.listen(channel, onNotice, () => listener());
    return async () => {
      if (!isOurs) await subscription.unlisten();
      await close();
    };
  } catch (error) {
    await close();
    throw error;
  }
}
