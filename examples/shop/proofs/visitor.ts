/** What answers a request: an app's `fetch`, or a server elsewhere. */
export type Fetch = (request: Request) => Response | Promise<Response>;

/** A visitor of the shop who keeps their cookie, as a browser does. */
export class Visitor {
  readonly #origin: string;
  readonly #fetch: Fetch;
  #cookie = "";

  constructor(origin: string, answer: Fetch) {
    this.#origin = origin;
    this.#fetch = answer;
  }

  get(path: string): Promise<Response> {
    return this.#send(path, {});
  }

  post(path: string, fields: Record<string, string> = {}): Promise<Response> {
    return this.#send(path, { method: "POST", body: new URLSearchParams(fields) });
  }

  delete(path: string): Promise<Response> {
    return this.#send(path, { method: "DELETE" });
  }

  async #send(path: string, init: RequestInit): Promise<Response> {
    // A new connection for each request, so that any process may get it.
    const headers = { cookie: this.#cookie, connection: "close" };
    const url = new URL(path, this.#origin);
    const request = new Request(url.href, { ...init, headers, redirect: "manual" });
    const response = await this.#fetch(request);
    for (const line of response.headers.getSetCookie()) [this.#cookie = ""] = line.split(";");
    return response;
  }
}
