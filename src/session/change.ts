import type { SessionData } from "../store/backend.ts";
import { isPromise } from "../store/maybe-promise.ts";
import { encode } from "./json.ts";

/**
 * Runs the function of `session.update()` on data whose JSON text is `before`.
 *
 * @throws TypeError if the function is asynchronous, or if it returns new data instead of changing
 *   what it was given: nothing would be stored.
 */
export function runChange(
  change: (data: SessionData) => unknown,
  data: SessionData,
  before: string,
): void {
  const answer = change(data);
  if (isPromise(answer)) {
    throw new TypeError(
      "session.update() needs a synchronous function, because it may run again. Await everything it needs first.",
    );
  }
  if (typeof answer !== "object" || answer === null) return;
  if (encode(data, "session") !== before || contains(data, answer)) return;
  throw new TypeError(
    "The function of session.update() returned an object and changed nothing. Change the data that it receives: `session.update((data) => { data.visits = 1; })`.",
  );
}

/** Whether an object is the value or a part of it: `data.cart ??= {}` returns such a part. */
function contains(value: unknown, part: object): boolean {
  if (typeof value !== "object" || value === null) return false;
  return value === part || Object.values(value).some((each) => contains(each, part));
}
