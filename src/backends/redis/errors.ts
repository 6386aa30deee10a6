/** The server has not heard of what it was to be asked, and never will. */
export class NotSent extends Error {}

/** Whether an error is a reply of the server: of this kind, such as "NOSCRIPT", or of any. */
export function isReply(error: unknown, kind = "[A-Z]+"): boolean {
  return error instanceof Error && new RegExp(`^${kind} `).test(error.message);
}
