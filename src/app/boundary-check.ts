import { HttpError } from "./errors.ts";

const BOUNDARY = /;\s*boundary=(?:"([^"]*)"|([^\s;"]+))/i;

/** Space, tab and LF. */
const WRONG_ENDS: ReadonlySet<number | undefined> = new Set([0x20, 0x09, 0x0a]);

/**
 * Finds boundary lines of a multipart form that do not end in CRLF. Parsers ignore them, together
 * with the parts behind them.
 */
export class BoundaryCheck {
  readonly #boundary: Buffer;
  /** The end of the form so far, in which a boundary may have begun. */
  #tail: Buffer = Buffer.from("\r\n");

  /** `type` is the form's media type, with its parameters. */
  constructor(type: string) {
    const [, quoted, bare] = BOUNDARY.exec(type) ?? [];
    this.#boundary = Buffer.from(`\r\n--${quoted ?? bare ?? ""}`);
  }

  /**
   * Checks the next piece of the form.
   *
   * @throws HttpError 400 for a boundary line that ends in spaces or in LF alone.
   */
  add(piece: Uint8Array): void {
    const { length } = this.#boundary;
    const seam = Buffer.concat([this.#tail, piece.subarray(0, length)]);
    const bytes = Buffer.from(piece.buffer, piece.byteOffset, piece.byteLength);
    if (this.#finds(seam) || this.#finds(bytes)) throw malformed();
    this.#tail = Buffer.from((piece.byteLength < length ? seam : bytes).subarray(-length));
  }

  #finds(bytes: Buffer): boolean {
    const boundary = this.#boundary;
    for (let at = bytes.indexOf(boundary); at !== -1; at = bytes.indexOf(boundary, at + 1)) {
      if (WRONG_ENDS.has(bytes[at + boundary.length])) return true;
    }
    return false;
  }
}

/** The response to a form that cannot be parsed. */
export function malformed(cause?: unknown): HttpError {
  return new HttpError(400, "The request's form is malformed.", { cause });
}
