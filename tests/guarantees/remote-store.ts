import type { SessionBackend, SessionData } from "../../src/store/backend.ts";
import { TcpProxy } from "../support/servers/tcp-proxy.ts";

/** A store that listens on a port of this machine, behind a network that can be made to fail. */
export class RemoteStore implements AsyncDisposable {
  readonly network: TcpProxy;
  readonly #server: Bun.Server<undefined>;

  private constructor(server: Bun.Server<undefined>, network: TcpProxy) {
    this.#server = server;
    this.network = network;
  }

  static async start(): Promise<RemoteStore> {
    const rows = new Map<string, string>();
    const server = Bun.serve({ port: 0, fetch: (request) => answer(request, rows) });
    return new RemoteStore(server, await TcpProxy.to(Number(server.port)));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.network[Symbol.asyncDispose]();
    await this.#server.stop(true);
  }
}

async function answer(request: Request, rows: Map<string, string>): Promise<Response> {
  const { pathname } = new URL(request.url);
  if (request.method === "PUT") rows.set(pathname, await request.text());
  if (request.method === "DELETE") rows.delete(pathname);
  return new Response(rows.get(pathname) ?? "{}");
}

/**
 * In milliseconds: longer than anybody waits for a session, and so short that the requests which nobody answers stay
 * below the 256 that Bun has under way at once.
 */
const TIMEOUT = 10_000;

/** What somebody would write to keep sessions there. */
export class RemoteBackend implements SessionBackend {
  readonly #network: TcpProxy;

  constructor(network: TcpProxy) {
    this.#network = network;
  }

  async load(sessionId: string): Promise<SessionData> {
    return (await this.#send(sessionId)).json() as Promise<SessionData>;
  }

  async save(sessionId: string, data: SessionData, timeout: number): Promise<void> {
    if (timeout === 0) await this.#send(sessionId, { method: "DELETE" });
    else await this.#send(sessionId, { method: "PUT", body: JSON.stringify(data) });
  }

  async #send(sessionId: string, init?: RequestInit): Promise<Response> {
    const signal = AbortSignal.timeout(TIMEOUT);
    return fetch(`http://127.0.0.1:${this.#network.port}/${sessionId}`, { ...init, signal });
  }
}
