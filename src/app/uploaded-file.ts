/** A file that was uploaded, in memory: a web-standard `File` that knows its form's field. */
export class UploadedFile extends File {
  /** The name of the form's field. */
  readonly field: string;

  /** @internal */
  constructor(bytes: Uint8Array<ArrayBuffer>, filename: string, type: string, field: string) {
    super([bytes], filename, { type });
    this.field = field;
  }
}
