/** The command was not sent to the server and never will be. */
export class NotSent extends Error {}

/**
 * Whether an error is a server's reply of this kind, such as "NOSCRIPT"; by default, of any kind.
 */
export function isReply(error: unknown, kind = "[A-Z]+"): boolean {
  return error instanceof Error && new RegExp(`^${kind} `).test(error.message);
}
