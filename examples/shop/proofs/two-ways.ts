import type { Session } from "bunpie";

import type { ShopSession } from "../session.ts";

/** Load, change, save: two requests at once load the same number. */
export async function loadThenSave(session: Session<ShopSession>): Promise<void> {
  const pies = session.pies ?? 0;
  await bake();
  session.pies = pies + 1;
  await session.save();
}

/** One atomic step: no other request can come between. */
export async function update(session: Session<ShopSession>): Promise<void> {
  await bake();
  await session.update((stored) => {
    stored.pies = (stored.pies ?? 0) + 1;
  });
}

/** Stands for what a request waits for: a query, another service. */
async function bake(): Promise<void> {
  await Bun.sleep(20);
}
