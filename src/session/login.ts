import { refuseUnknown } from "../store/known-options.ts";
import type { Lifetimes } from "./lifetimes.ts";
import { checkText } from "./names.ts";
import type { LoginOptions } from "./session.ts";

/**
 * Checks what is said with a login.
 *
 * @throws TypeError or RangeError for what cannot be recorded.
 */
export function checkLogin(userId: string, options: LoginOptions, lifetimes: Lifetimes): void {
  refuseUnknown("session.login()", options, ["remember", "label"]);
  const { remember, label } = options;
  checkText("The user's id for session.login()", userId);
  if (userId === "") {
    throw new TypeError(
      "session.login() needs the user's id, such as String(user.id), and not an empty string.",
    );
  }
  if (label !== undefined) checkText("`label`", label);
  if (remember !== undefined) lifetimes.checkRemember(remember);
}
