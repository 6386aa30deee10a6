import { writeFileSync } from "node:fs";

import { Folder } from "../../support/folder.ts";
import { hasProgram } from "../../support/servers/services.ts";

/** Whether this machine can make certificates. */
export const canCertify = hasProgram("openssl", "apt-get install openssl");

const NEW_KEY = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout"];

function openssl(...args: readonly string[]): void {
  const { success, stderr } = Bun.spawnSync(["openssl", ...args]);
  if (!success) throw new Error(stderr.toString());
}

/** An authority, and what it signs: files in PEM, gone at the end of the block that holds it. */
export class Authority implements Disposable {
  readonly #folder = new Folder();
  readonly #key = this.#folder.file("authority.key");
  /** Its own certificate. */
  readonly file = this.#folder.file("authority.pem");

  constructor() {
    const own = [this.#key, "-out", this.file, "-subj", "/CN=Tests", "-days", "2"];
    openssl("req", "-x509", ...NEW_KEY, ...own);
  }

  /** A certificate for a host, good for so many days from now on, and its key. */
  sign(host: string, days = 2): { readonly cert: string; readonly key: string } {
    const place = this.#folder.file(`${host}${days}`);
    const [cert, key, request, names] = [`${place}.pem`, `${place}.key`, place, `${place}.names`];
    openssl("req", ...NEW_KEY, key, "-out", request, "-subj", `/CN=${host}`);
    writeFileSync(names, `subjectAltName=DNS:${host}`);
    const signer = ["-CA", this.file, "-CAkey", this.#key, "-CAcreateserial"];
    const about = ["-in", request, "-extfile", names, "-days", String(days)];
    openssl("x509", "-req", "-out", cert, ...about, ...signer);
    return { cert, key };
  }

  [Symbol.dispose](): void {
    this.#folder.remove();
  }
}
