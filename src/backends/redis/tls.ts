import type { SecureContextOptions } from "node:tls";

import { refuseUnknown } from "../../store/known-options.ts";

/** TLS settings of a connection to Redis. Certificates and keys are in PEM. */
export interface RedisTls {
  /**
   * The certificate of the authority that signed the server's certificate, or several,
   * concatenated. By default, the authorities that the system trusts.
   */
  readonly ca?: string | Uint8Array;
  /** The client's certificate, for a server that requires one. */
  readonly cert?: string | Uint8Array;
  /** The private key of `cert`. */
  readonly key?: string | Uint8Array;
  /** The password of `key`, if it has one. */
  readonly passphrase?: string;
  /** The name that the server's certificate has to be for; the URL's host by default. */
  readonly serverName?: string;
}

const OPTIONS = ["ca", "cert", "key", "passphrase", "serverName"];
const SECURE = /^(rediss|valkeys|redis\+tls|redis\+tls\+unix):/i;

/** Whether a URL requires TLS. */
export function isSecure(url: string): boolean {
  return SECURE.test(url);
}

/** @throws TypeError for options that cannot be used with the URL; the message says what to do. */
export function checkTls(url: string, tls: RedisTls): void {
  if (typeof tls !== "object" || tls === null) {
    throw new TypeError(
      `\`tls\` is ${Bun.inspect(tls)}; it has to be an object such as { ca: await Bun.file("ca.pem").text() }.`,
    );
  }
  refuseUnknown("`tls`", tls, OPTIONS);
  if (!isSecure(url)) {
    throw new TypeError(
      "`tls` requires a URL that begins with rediss://. Correct the URL, or leave out `tls`.",
    );
  }
  if ((tls.cert === undefined) !== (tls.key === undefined)) {
    throw new TypeError("`tls` needs `cert` and `key` together: set both, or neither.");
  }
  // Loaded on demand: this module takes as long to load as the rest of the backend, and few apps
  // need it.
  const { createSecureContext } = process.getBuiltinModule("node:tls");
  try {
    createSecureContext(tls as SecureContextOptions);
  } catch (cause) {
    throw new TypeError(
      `\`tls\` cannot be used: ${(cause as Error).message}. \`ca\`, \`cert\` and \`key\` have to be PEM, ` +
        'such as `await Bun.file("ca.pem").text()`.',
      { cause },
    );
  }
}
