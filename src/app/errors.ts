/**
 * Ends the request with this status and message: `throw new HttpError(404, "No such thing")`.
 * Visitors see the message, but not the `cause`.
 */
export class HttpError extends Error {
  override readonly name = "HttpError";
  readonly status: number;
  /** Headers of the response, such as `Allow`. */
  readonly headers: Readonly<Record<string, string>>;

  /** @throws RangeError for a status outside 400 to 599. */
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

  /** Further members of the error's `application/problem+json` (RFC 9457). */
  get details(): Readonly<Record<string, unknown>> {
    return {};
  }
}
