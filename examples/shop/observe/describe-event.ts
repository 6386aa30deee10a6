import type { SessionEvent } from "bunpie";

const REJECTED = {
  malformed: "A cookie was refused: its value is not a session id.",
  unknown: "A cookie was refused: its session is not in the store.",
  superseded: "A late request came with an id that had been replaced. It opened nothing.",
  ambiguous: "A request had cookies of several live sessions. It opened none of them.",
};

/** What happened to a session, in plain words. Of a handle, only the beginning is shown. */
export function describeEvent(
  event: SessionEvent,
  findName: (userId: string) => string | undefined,
): string {
  const name = "userId" in event && event.userId !== null ? findName(event.userId) : undefined;
  switch (event.type) {
    case "created":
      return name === undefined
        ? `A visitor's session was stored for the first time: ${shorten(event.handle)}.`
        : `${name} logged in: session ${shorten(event.handle)} was stored.`;
    case "updated":
      return `Session ${shorten(event.handle)} was changed.`;
    case "rotated":
      return name === undefined
        ? `Session ${shorten(event.from)} got a new id: ${shorten(event.handle)}.`
        : `${name} logged in: session ${shorten(event.from)} got a new id, ${shorten(event.handle)}.`;
    case "destroyed":
      return `${describeCount(event.count)}${name === undefined ? "" : ` of ${name}`} ended.`;
    case "expired":
      return `A visitor came back with session ${shorten(event.handle)}, which has expired.`;
    case "rejected":
      return REJECTED[event.reason];
    case "merged":
      return `Two requests changed session ${shorten(event.handle)} at once. Their changes were merged.`;
    case "overwritten":
      return `Two requests changed ${event.keys.join(", ")} of session ${shorten(event.handle)} at once. The later change was kept.`;
    case "dropped":
      return "A change was dropped: its session had ended, or had a new id.";
    case "swept":
      return `${describeCount(event.count)} had expired and left the store.`;
    case "failed":
      return `The store failed at "${event.operation}".`;
  }
}

function shorten(handle: string): string {
  return handle.slice(0, 6);
}

function describeCount(count: number): string {
  return count === 1 ? "A session" : `${count} sessions`;
}
