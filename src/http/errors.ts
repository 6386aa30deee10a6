/**
 * A request that another site's page caused, and that is refused for that (403). Elysia and Hono ask an
 * error that nobody has handled for its response, each under another name.
 */
export class CrossOriginError extends Error {
  override readonly name = "CrossOriginError";
  override readonly message =
    "This request comes from another site. An origin that may write here has to be listed in `trustedOrigins`.";
  readonly status = 403;

  /** For Elysia. */
  toResponse(): Response {
    return new Response(this.message, {
      status: this.status,
      headers: { "content-type": "text/plain;charset=utf-8" },
    });
  }

  /** For Hono. */
  getResponse(): Response {
    return this.toResponse();
  }
}
