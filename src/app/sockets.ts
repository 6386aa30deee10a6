import { asksForSocket } from "../http/cross-origin.ts";
import { HttpError } from "./errors.ts";
import type { SocketHandler } from "./pages.ts";
import type { RawMessage, Wire } from "./socket-connection.ts";
import { MAX_BEHIND, SocketConnection } from "./socket-connection.ts";
import { PageSocket } from "./socket.ts";
import type { Match } from "./table.ts";
import type { Visit } from "./visit.ts";

/** The type of `Bun.serve`'s `websocket`. */
export type WebSocketHandlers = Bun.WebSocketHandler<unknown>;

/** `Bun.serve`'s `websocket`: passes Bun's events on to the sockets of the pages. */
export function makeHandlers(maxMessageBytes: number): WebSocketHandlers {
  return {
    maxPayloadLength: maxMessageBytes,
    backpressureLimit: MAX_BEHIND,
    closeOnBackpressureLimit: true,
    open: (socket) => find(socket)?.open(socket as Wire),
    message: (socket, message) => find(socket)?.receive(message as RawMessage),
    drain: (socket) => find(socket)?.drain(),
    close: (socket) => find(socket)?.closed(),
  };
}

/**
 * The connection of a socket; `undefined` for a socket that the server has beside those of the app.
 */
function find({ data }: { readonly data: unknown }): SocketConnection | undefined {
  return data instanceof SocketConnection ? data : undefined;
}

/** What visitors read. */
const NO_SOCKETS = "This server has no WebSockets.";

/** What the developer reads. */
const HOW_TO_SERVE =
  "A WebSocket could not be opened, because the server has no WebSockets or does not know the request. Serve the app with app.listen() or as the default export; or pass app.websocket to Bun.serve, and the original request with the server to app.fetch(request, server).";

/** Whether a request is a handshake: `Upgrade` counts only where `Connection` names it (RFC 9110, 7.8). */
export function isHandshake(request: Request): boolean {
  return asksForSocket(request) && /\bupgrade\b/i.test(request.headers.get("connection") ?? "");
}

/** The key of a handshake: 16 bytes in base64 (RFC 6455, 4.2.1). */
const KEY = /^[\w+/]{22}==$/;

/** The only version of handshakes that there is (RFC 6455, 4.2.1). Bun refuses others. */
const VERSION = "13";

/**
 * Calls a socket page and returns the response to the handshake: 101 as soon as the page accepts,
 * or what the page returns without accepting.
 *
 * @throws what the page throws before it accepts; HttpError 501, which is reported, if the server has
 *   no WebSockets.
 */
export function callSocket(
  visit: Visit,
  { page, handler, branch, params }: Match,
): Promise<unknown> {
  if (visit.server?.upgrade === undefined) {
    visit.report(new Error(HOW_TO_SERVE));
    throw new HttpError(501, NO_SOCKETS);
  }
  const connection = new SocketConnection(visit);
  visit.connection = connection;
  const socket = new PageSocket<RawMessage>(connection, (message) => message);
  const end = (async () => (handler as SocketHandler).call(branch.app, socket, ...params))();
  end.then(
    () => connection.finish(),
    (error: unknown) => connection.fail(error),
  );
  const accepted = connection.asked.then(() => new Response(null, { status: 101 }));
  const refused = end.then((value) => {
    if (value !== undefined) return value;
    throw new TypeError(
      `The socket page ${page} returned without accepting the socket. Call \`await socket.accept()\`, or read its messages; to refuse it, throw an error or return a response.`,
    );
  });
  return Promise.race([accepted, refused]);
}

/**
 * Upgrades a request whose handshake was accepted. Returns the response, which Bun ignores after an
 * upgrade.
 */
export function finishHandshake(
  visit: Visit,
  connection: SocketConnection,
  response: Response,
): Response {
  if (response.status !== 101) {
    connection.refuse();
    return response;
  }
  const { headers } = response;
  if (connection.protocol !== "") headers.set("sec-websocket-protocol", connection.protocol);
  try {
    visit.server?.upgrade?.(visit.arrived, { headers, data: connection });
    if (connection.isOpen) return response;
  } catch (cause) {
    visit.report(new Error(HOW_TO_SERVE, { cause }));
    connection.refuse();
    return new Response(NO_SOCKETS, { status: 501, headers });
  }
  connection.refuse();
  const { arrived } = visit;
  if (!KEY.test(arrived.headers.get("sec-websocket-key") ?? ""))
    return new Response("The WebSocket handshake is malformed.", { status: 400, headers });
  // Bun has sent a 426 already: this one is for the log.
  if (arrived.headers.get("sec-websocket-version") !== VERSION)
    return new Response("The WebSocket handshake is of another version.", { status: 426, headers });
  // The server does not know the request, which is a copy; or the client has disconnected.
  if (!arrived.signal.aborted) visit.report(new Error(HOW_TO_SERVE));
  return new Response(NO_SOCKETS, { status: 501, headers });
}
