import { refuseUnknown } from "../store/known-options.ts";
import type { Lifetimes } from "./lifetimes.ts";
import { checkText } from "./names.ts";
import type { LoginOptions } from "./session.ts";

/** @throws TypeError or RangeError for an argument of `session.login()` that cannot be stored. */
export function checkLogin(userId: string, options: LoginOptions, lifetimes: Lifetimes): void {
  refuseUnknown("session.login()", options, ["remember", "label"]);
  const { remember, label } = options;
  checkText("The user's id for session.login()", userId);
  if (userId === "") {
    throw new TypeError(
      "session.login() got an empty string for the user's id. Pass one such as String(user.id).",
    );
  }
  if (label !== undefined) checkText("`label`", label);
  if (remember !== undefined) lifetimes.checkRemember(remember);
}
