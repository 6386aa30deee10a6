/**
 * The session store could not be read or written. Such a request is answered with `status` 503 and
 * leaves the visitor's cookie alone: the visitor keeps the session, and no change is reported as
 * stored. `cause` holds the store's error.
 */
export class SessionStoreError extends Error {
  override readonly name = "SessionStoreError";
  readonly status = 503;
  /** The text that visitors see. It reveals nothing about the cause. */
  readonly visible = "Sessions are unavailable. Please try again.";

  /**
   * The 503 response for the visitor, varying on `Cookie`: visitors without a cookie are still
   * served. Elysia calls this method on errors that no handler has caught.
   */
  toResponse(): Response {
    return new Response(this.visible, {
      status: this.status,
      headers: { "content-type": "text/plain;charset=utf-8", vary: "Cookie" },
    });
  }

  /** The method that Hono calls; the same as {@link toResponse}. */
  getResponse(): Response {
    return this.toResponse();
  }
}
