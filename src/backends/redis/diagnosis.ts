import type { Socket } from "node:net";
import { connect, isIP } from "node:net";
import type { ConnectionOptions } from "node:tls";
import { connect as connectSecurely } from "node:tls";

import type { RedisTls } from "./tls.ts";
import { isSecure } from "./tls.ts";

const DEFAULT_PORT = 6379;

/** How much of what a server says goes into a message. */
const LONGEST_QUOTE = 120;

/** What failures of a connection mean, by their code, and what to do about them. */
const CAUSES: readonly (readonly [code: RegExp, cause: string])[] = [
  [/^(ECONNREFUSED|ENOENT)$/, "nothing listens there. Start the server, or correct the URL."],
  [/^(ENOTFOUND|EAI_AGAIN|ENODATA|ESERVFAIL)$/, "its name is unknown. Correct the URL."],
  [
    /SELF_SIGNED|UNABLE_TO_(GET|VERIFY)/,
    "its certificate is signed by no authority that is trusted here. Pass that authority's " +
      'certificate: `tls: { ca: await Bun.file("ca.pem").text() }`.',
  ],
  [
    /^ERR_TLS_CERT_ALTNAME_INVALID$/,
    "its certificate is for another name. Use that name in the URL, or pass it: `tls: { serverName }`.",
  ],
  [/WRONG_VERSION_NUMBER/, "it speaks no TLS. Begin the URL with redis://."],
  [/CERTIFICATE_REQUIRED/, "it asks for a client certificate. Pass one: `tls: { cert, key }`."],
  [
    /ALERT_(UNKNOWN_CA|BAD_CERTIFICATE|CERTIFICATE|DECRYPT)/,
    "it refuses the client certificate. Have it signed by an authority that the server trusts.",
  ],
];

/**
 * Finds out why a server cannot be reached, in at most `patience` milliseconds: `Bun.RedisClient` says
 * "Connection closed", whether nothing listens there, a certificate is refused or a password is
 * wrong. Returns the cause and the remedy as the rest of a sentence; never the password.
 */
export function explainFailure(url: string, tls: RedisTls, patience: number): Promise<string> {
  const secure = isSecure(url);
  if (patience <= 0) return Promise.resolve(explainSilence(secure));
  const { promise, resolve } = Promise.withResolvers<string>();
  const socket = openSocket(new URL(url), secure ? tls : undefined);
  const timer = setTimeout(() => resolve(explainSilence(secure)), patience);
  // What a TLS server thinks of the client's certificate comes after the handshake.
  socket.on(secure ? "secureConnect" : "connect", () => socket.write(hello(new URL(url))));
  socket.on("data", (reply) => resolve(explainReply(reply.toString())));
  socket.on("error", (error) => resolve(explainError(error, secure)));
  socket.on("close", () => resolve(explainClosing(secure)));
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

/** What `Bun.RedisClient` begins with. */
function hello({ username, password }: URL): string {
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
  if (code === "ECONNRESET") return explainClosing(secure);
  const known = CAUSES.find(([pattern]) => pattern.test(code))?.[1];
  return known ?? `${error.message.slice(0, LONGEST_QUOTE)} (${code}).`;
}

function explainSilence(secure: boolean): string {
  return secure
    ? "it does not answer in time. If it speaks no TLS, begin the URL with redis://."
    : "it does not answer in time.";
}

function explainClosing(secure: boolean): string {
  return secure
    ? "it closes the connection at once. If it speaks no TLS, begin the URL with redis://."
    : "it closes the connection at once. If it speaks TLS only, begin the URL with rediss://.";
}
