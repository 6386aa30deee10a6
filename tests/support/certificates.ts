import { writeFileSync } from "node:fs";

import { Folder } from "./folder.ts";
import { hasProgram } from "./servers/services.ts";

/** Whether this machine can make certificates. */
export const canCertify = hasProgram("openssl", "apt-get install openssl");

/** A certificate and its key: files, in PEM. */
export interface Certificate {
  readonly cert: string;
  readonly key: string;
}

/** An authority, and what it signs. The files are gone at the end of the block that holds it. */
export class Authority implements Disposable {
  readonly #folder = new Folder();
  readonly #own: Certificate;

  constructor() {
    this.#own = this.#toFiles("authority");
    const { cert, key } = this.#own;
    this.#run("req", "-x509", ...NEW_KEY, key, "-out", cert, "-subj", "/CN=Tests", "-days", "2");
  }

  /** Its own certificate, as a file. */
  get file(): string {
    return this.#own.cert;
  }

  /** Signs a certificate for a host, good for so many days from now on. */
  sign(host: string, days = 2): Certificate {
    const files = this.#toFiles(`${host}${days}`);
    const [request, names] = [this.#folder.file("request"), this.#folder.file("names")];
    this.#run("req", ...NEW_KEY, files.key, "-out", request, "-subj", `/CN=${host}`);
    writeFileSync(names, `subjectAltName=DNS:${host}`);
    const signer = ["-CA", this.#own.cert, "-CAkey", this.#own.key, "-CAcreateserial"];
    const about = ["-in", request, "-extfile", names, "-days", String(days)];
    this.#run("x509", "-req", "-out", files.cert, ...about, ...signer);
    return files;
  }

  [Symbol.dispose](): void {
    this.#folder.remove();
  }

  #toFiles(name: string): Certificate {
    return { cert: this.#folder.file(`${name}.pem`), key: this.#folder.file(`${name}.key`) };
  }

  #run(...args: string[]): void {
    const { success, stderr } = Bun.spawnSync(["openssl", ...args]);
    if (!success) throw new Error(stderr.toString());
  }
}

const NEW_KEY = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout"];
