const ID_BYTES = 32;

// 32 bytes are 43 characters of base64url. The last one carries only four bits: with just the
// sixteen characters that leave its unused bits at 0, every id has exactly one spelling.
const ID_PATTERN = /^[A-Za-z0-9_-]{42}[AEIMQUYcgkosw048]$/;

/** A new session id: 256 random bits as 43 base64url characters (OWASP ASVS 5.0, V7.2.3). */
export function createId(): string {
  return crypto
    .getRandomValues(new Uint8Array(ID_BYTES))
    .toBase64({ alphabet: "base64url", omitPadding: true });
}

/** Whether a cookie's value has the form of an id, issued or not. */
export function isId(value: string): boolean {
  return ID_PATTERN.test(value);
}

/** Whether a text has the form of a handle: a hash is 32 bytes too. */
export function isHandle(text: string): boolean {
  return ID_PATTERN.test(text);
}

/**
 * The SHA-256 of an id, as 43 base64url characters: the key of the session in the store. Nobody who
 * reads the store, its backups or its queries can make a working cookie from it.
 */
export function hashId(id: string): string {
  return Bun.SHA256.hash(id, "base64url");
}
