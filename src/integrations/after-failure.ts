import type { Sessions } from "../session/manager.ts";
import type { SomeOpenSession } from "../session/session.ts";

/**
 * The `Set-Cookie` line that goes with the response for a session that could not be stored. There is
 * one if `save()` had changed the id before the store failed: by then the old id is dead.
 */
export async function cookieAfterFailure(
  manager: Pick<Sessions, "settle">,
  open: SomeOpenSession,
): Promise<string | undefined> {
  try {
    return await manager.settle(open, 500);
  } catch {
    // The store still fails.
    return undefined;
  }
}
