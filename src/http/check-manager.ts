import type { SessionShape } from "../session/session.ts";
import type { Sessions } from "./sessions.ts";

/** @throws TypeError for what is no manager: not every program is type-checked. */
export function checkManager<Data extends SessionShape<Data>>(manager: Sessions<Data>): void {
  const { enter } = (manager as Partial<Sessions<Data>> | undefined) ?? {};
  if (typeof enter === "function") return;
  throw new TypeError("sessions() takes a manager: sessions(new Sessions({ backend: … })).");
}
