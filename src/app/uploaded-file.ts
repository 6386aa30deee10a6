/** An uploaded file in memory: a web-standard `File` with the name of its form field. */
export class UploadedFile extends File {
  /** The name of the form's field. */
  readonly field: string;

  /** @internal */
  constructor(bytes: Uint8Array<ArrayBuffer>, filename: string, type: string, field: string) {
    super([bytes], filename, { type });
    this.field = field;
  }
}
