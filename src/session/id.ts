const ID_BYTES = 32;

// 32 bytes are 43 characters of base64url, of which the last carries four bits: only sixteen of the
// 64 letters can stand there, so every id has exactly one spelling.
const ID_PATTERN = /^[A-Za-z0-9_-]{42}[AEIMQUYcgkosw048]$/;

/** A new session id: 256 random bits as 43 base64url characters (OWASP ASVS 5.0, V7.2.3). */
export function createId(): string {
  return crypto
    .getRandomValues(new Uint8Array(ID_BYTES))
    .toBase64({ alphabet: "base64url", omitPadding: true });
}

/** Whether a cookie's value has the form of an id. Says nothing about whether it was ever issued. */
export function isId(value: string): boolean {
  return ID_PATTERN.test(value);
}

/**
 * What a store knows a session by: SHA-256 of the id, as 43 base64url characters. Whoever reads the
 * store, its backups or its queries cannot make a working cookie out of it.
 */
export function hashId(id: string): string {
  return Bun.SHA256.hash(id, "base64url");
}
