/** A session could not be written because of what the handler put into it: a mistake in the app. */
export class SessionDataError extends Error {
  override readonly name = "SessionDataError";
  readonly status = 500;
}
