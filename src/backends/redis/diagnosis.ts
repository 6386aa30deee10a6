import type { Socket } from "node:net";
import { connect, isIP } from "node:net";
import type { ConnectionOptions } from "node:tls";
import { connect as connectSecurely } from "node:tls";

import type { RedisTls } from "./tls.ts";
import { isSecure } from "./tls.ts";

const DEFAULT_PORT = 6379;

/** How many characters of a server's message are quoted. */
const LONGEST_QUOTE = 120;

/** The cause and remedy of a failed connection, by error code. */
const CAUSES: readonly (readonly [code: RegExp, cause: string])[] = [
  [/^(ECONNREFUSED|ENOENT)$/, "nothing listens there. Start the server, or correct the URL."],
  [/^(ENOTFOUND|EAI_AGAIN|ENODATA|ESERVFAIL)$/, "its host name is unknown. Correct the URL."],
  [
    /SELF_SIGNED|UNABLE_TO_(GET|VERIFY)/,
    "its certificate is not signed by a trusted authority. Pass the authority's " +
      'certificate: `tls: { ca: await Bun.file("ca.pem").text() }`.',
  ],
  [
    /^ERR_TLS_CERT_ALTNAME_INVALID$/,
    "its certificate is for another name. Use that name in the URL, or pass it: `tls: { serverName }`.",
  ],
  [/WRONG_VERSION_NUMBER/, "it does not use TLS. Begin the URL with redis://."],
  [/CERTIFICATE_REQUIRED/, "it asks for a client certificate. Pass one: `tls: { cert, key }`."],
  [
    /ALERT_(UNKNOWN_CA|BAD_CERTIFICATE|CERTIFICATE|DECRYPT)/,
    "it refuses the client certificate. Have it signed by an authority that the server trusts.",
  ],
];

/**
 * Finds out why a server cannot be reached, in at most `timeout` milliseconds: `Bun.RedisClient`
 * says "Connection closed" whether nothing listens there, a certificate is refused or a password is
 * wrong. Returns the cause and the remedy as the rest of a sentence; never the password.
 */
export function explainFailure(url: string, tls: RedisTls, timeout: number): Promise<string> {
  const secure = isSecure(url);
  if (timeout <= 0) return Promise.resolve(explainSilence(secure));
  const { promise, resolve } = Promise.withResolvers<string>();
  const socket = openSocket(new URL(url), secure ? tls : undefined);
  const timer = setTimeout(() => resolve(explainSilence(secure)), timeout);
  // A TLS server reports on the client's certificate only after the handshake.
  socket.on(secure ? "secureConnect" : "connect", () => socket.write(encodeHello(new URL(url))));
  socket.on("data", (reply) => resolve(explainReply(reply.toString())));
  socket.on("error", (error) => resolve(explainError(error, secure)));
  socket.on("close", () => resolve(explainClose(secure)));
  return promise.finally(() => {
    clearTimeout(timer);
    socket.destroy();
  });
}

function openSocket({ protocol, hostname, port, pathname }: URL, tls?: RedisTls): Socket {
  const host = hostname.replace(/^\[|\]$/g, "");
  const target = protocol.includes("unix")
    ? { path: decodeURIComponent(pathname) }
    : { host: host || "localhost", port: Number(port) || DEFAULT_PORT };
  if (tls === undefined) return connect(target);
  const servername = tls.serverName ?? (isIP(host) === 0 ? host : "");
  return connectSecurely({ ...target, ...tls, servername } as ConnectionOptions);
}

/** The first command that `Bun.RedisClient` sends. */
function encodeHello({ username, password }: URL): string {
  const parts = ["HELLO", "3"];
  if (password !== "") {
    parts.push("AUTH", decodeURIComponent(username) || "default", decodeURIComponent(password));
  }
  const texts = parts.map((part) => `$${Buffer.byteLength(part)}\r\n${part}\r\n`);
  return `*${parts.length}\r\n${texts.join("")}`;
}

function explainReply(reply: string): string {
  const words = /^-([^\r\n]*)/.exec(reply)?.[1]?.slice(0, LONGEST_QUOTE);
  if (words === undefined) return "the connection was closed. The next request tries again.";
  return /^(WRONGPASS|NOAUTH)/.test(words)
    ? `it does not accept the URL's user name and password (${words}). Correct the URL.`
    : `it says: ${words}`;
}

function explainError(error: Error & { readonly code?: string }, secure: boolean): string {
  const code = error.code ?? "";
  if (code === "ECONNRESET") return explainClose(secure);
  const known = CAUSES.find(([pattern]) => pattern.test(code))?.[1];
  return known ?? `${error.message.slice(0, LONGEST_QUOTE)} (${code}).`;
}

function explainSilence(secure: boolean): string {
  return secure
    ? "it does not answer in time. If it does not use TLS, begin the URL with redis://."
    : "it does not answer in time.";
}

function explainClose(secure: boolean): string {
  return secure
    ? "it closes the connection at once. If it does not use TLS, begin the URL with redis://."
    : "it closes the connection at once. If it requires TLS, begin the URL with rediss://.";
}
