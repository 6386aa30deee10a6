/** Less than the 255 bytes that file systems allow. */
const MAX_BYTES = 200;

/** The longest extension that is kept when a name is shortened. */
const MAX_EXTENSION_BYTES = 20;

/** Names that Windows reserves for devices, with any extension. */
const DEVICE = /^(?:con|prn|aux|nul|com\d|lpt\d)(?:\.|$)/i;

/**
 * Makes a file name from a client safe to append to a folder's path: without folders, control and
 * invisible characters, leading dots and what Windows forbids; at most 200 bytes, never empty.
 */
export function toSafeFilename(filename: string): string {
  const base = filename.slice(Math.max(filename.lastIndexOf("/"), filename.lastIndexOf("\\")) + 1);
  const plain = base
    .toWellFormed()
    .replaceAll(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}<>:"|?*]/gu, "")
    .replaceAll(/^[.\s]+|[.\s]+$/g, "");
  if (plain === "") return "file";
  return shorten(DEVICE.test(plain) ? `_${plain}` : plain).replace(/[.\s]+$/, "");
}

function shorten(name: string): string {
  const bytes = Buffer.from(name);
  if (bytes.byteLength <= MAX_BYTES) return name;
  const dot = name.lastIndexOf(".");
  const extension = dot === -1 ? "" : name.slice(dot);
  const length = Buffer.byteLength(extension);
  const [end, kept] = length > MAX_EXTENSION_BYTES ? ["", 0] : [extension, length];
  // In streaming mode the decoder drops a truncated character at the end.
  return new TextDecoder().decode(bytes.subarray(0, MAX_BYTES - kept), { stream: true }) + end;
}
