/**
 * The session store could not be read or written. A request that meets it is answered with `status`
 * 503 and its cookie is left alone: the visitor keeps the session, and no success is claimed.
 * `cause` holds what the store said.
 */
export class SessionStoreError extends Error {
  override readonly name = "SessionStoreError";
  readonly status = 503;
  /** What a visitor is told: that, and nothing of the cause. */
  readonly visible = "Sessions are unavailable. Please try again.";

  /**
   * The response that tells a visitor so. Visitors without a cookie are served meanwhile, so it varies.
   * Elysia asks an error that nobody has handled for its response, under this name.
   */
  toResponse(): Response {
    return new Response(this.visible, {
      status: this.status,
      headers: { "content-type": "text/plain;charset=utf-8", vary: "Cookie" },
    });
  }

  /** The same, under the name by which Hono asks. */
  getResponse(): Response {
    return this.toResponse();
  }
}
