/**
 * The session cannot be stored because of what the handler put into it: a value that JSON cannot
 * hold, a reserved key, more than `maxBytes`, or a change that needs a cookie after the response's
 * headers are sent. A mistake in the app, answered with `status` 500.
 */
export class SessionDataError extends Error {
  override readonly name = "SessionDataError";
  readonly status = 500;
}
