// What the hand-written counters share: the cookie and the text of the page.

/** The id in the request's cookie, unchecked. */
export function readId(request: Request): string | undefined {
  const header = request.headers.get("cookie") ?? "";
  const start = header.indexOf("session_id=");
  return start === -1 ? undefined : header.slice(start + 11, start + 54);
}

/** Whether the request only reads the counter, or neither. */
export function isPage(request: Request): boolean {
  return request.url.endsWith("/page");
}

export function isBare(request: Request): boolean {
  return request.url.endsWith("/bare");
}

export function createId(): string {
  return crypto
    .getRandomValues(new Uint8Array(32))
    .toBase64({ alphabet: "base64url", omitPadding: true });
}

export function makePage(visits: number, newId?: string): Response {
  const page = `You have visited ${visits} times.`;
  if (newId === undefined) return new Response(page);
  return new Response(page, { headers: { "set-cookie": `session_id=${newId}; HttpOnly` } });
}
