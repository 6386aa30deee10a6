/**
 * An unsafe request or WebSocket handshake was refused because another site's page caused it.
 * Answered with `status` 403.
 */
export class CrossOriginError extends Error {
  override readonly name = "CrossOriginError";
  override readonly message =
    "This request comes from another site. To allow the site's origin, add it to `trustedOrigins`.";
  readonly status = 403;

  /** The 403 response. Elysia calls this method on errors that no handler has caught. */
  toResponse(): Response {
    return new Response(this.message, {
      status: this.status,
      headers: { "content-type": "text/plain;charset=utf-8" },
    });
  }

  /** The method that Hono calls; the same as {@link toResponse}. */
  getResponse(): Response {
    return this.toResponse();
  }
}
