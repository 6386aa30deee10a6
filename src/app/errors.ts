/**
 * Ends the request with this status and message. `throw new HttpError(404, "No such thing")`.
 * The message is shown to whoever asked; a `cause` is not.
 */
export class HttpError extends Error {
  override readonly name = "HttpError";
  readonly status: number;
  /** Headers that go with the response, such as `Allow`. */
  readonly headers: Readonly<Record<string, string>>;

  /** @throws RangeError if the status is no error: below 400, or above 599. */
  constructor(
    status: number,
    message: string,
    options: ErrorOptions & { readonly headers?: Readonly<Record<string, string>> } = {},
  ) {
    super(message, options);
    if (!Number.isInteger(status) || status < 400 || status > 599) {
      throw new RangeError(`HttpError is for statuses from 400 to 599, not ${status}.`);
    }
    this.status = status;
    this.headers = options.headers ?? {};
  }

  /** What else a program is told of the error, in its `application/problem+json` (RFC 9457). */
  get details(): Readonly<Record<string, unknown>> {
    return {};
  }
}
