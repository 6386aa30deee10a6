/** Ids that are safe in logs and headers as they are. */
const WELL_FORMED = /^[\w.-]{1,64}$/;

/**
 * The request's `X-Request-Id`, from a proxy for instance, if it is well-formed; otherwise a new
 * UUID of version 7.
 */
export function toRequestId({ headers }: Request): string {
  const brought = headers.get("x-request-id");
  return brought !== null && WELL_FORMED.test(brought) ? brought : Bun.randomUUIDv7();
}
