import { connect } from "node:net";

/**
 * What a server answers to bytes as they stand here, with no client between that would mend them.
 * Each piece is sent once the one before it has left. Ends with the connection.
 */
export function exchange(
  port: number,
  ...pieces: readonly (string | Uint8Array)[]
): Promise<string> {
  const { promise, resolve } = Promise.withResolvers<string>();
  let answer = "";
  const socket = connect(port, "127.0.0.1", () => {
    for (const piece of pieces) socket.write(piece);
  });
  socket.setNoDelay(true);
  socket.on("data", (data) => {
    answer += data.toString();
  });
  socket.on("error", () => socket.destroy());
  socket.on("close", () => resolve(answer));
  return promise;
}

/** A request's head, ready to send; the server closes the connection behind its answer. */
export function head(line: string, headers: Readonly<Record<string, string>> = {}): string {
  const all = { host: "localhost", connection: "close", ...headers };
  const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}`);
  return [line, ...lines, "", ""].join("\r\n");
}

/** The statuses in what a server answered, one for each response. */
export function readStatuses(answer: string): number[] {
  return [...answer.matchAll(/^HTTP\/1\.1 (\d{3}) /gm)].map(([, status]) => Number(status));
}

/** The head of a request to become a WebSocket (RFC 6455, 1.3). */
export function handshake(path: string, cookie?: string): string {
  return head(`GET ${path} HTTP/1.1`, {
    connection: "Upgrade, close",
    upgrade: "websocket",
    "sec-websocket-version": "13",
    "sec-websocket-key": "dGhlIHNhbXBsZSBub25jZQ==",
    ...(cookie === undefined ? {} : { cookie }),
  });
}

/** The `Set-Cookie` lines of an answer. */
export function setCookiesIn(answer: string): string[] {
  return [...answer.matchAll(/^set-cookie: (.*)\r$/gim)].map(([, line = ""]) => line);
}
