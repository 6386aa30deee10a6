import type { EndListener, StopWatching } from "../../store/session-store.ts";

/**
 * Listens to a channel, on a connection that Bun opens beside those of the pool and opens again when it
 * is lost. A client that `isOurs` is closed in the end.
 *
 * @throws Error if there is no connection to begin with.
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
    // The second argument runs whenever the server has begun to listen: what it was sent before is lost.
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
