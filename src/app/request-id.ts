/** What may stand in logs and headers as it came. */
const WELL_FORMED = /^[\w.-]{1,64}$/;

/** The id that the request brought as `X-Request-Id`, from a proxy for instance; else a new one, a UUID of version 7. */
export function toRequestId({ headers }: Request): string {
  const brought = headers.get("x-request-id");
  return brought !== null && WELL_FORMED.test(brought) ? brought : Bun.randomUUIDv7();
}
