/** The app, or anything else that answers requests. */
export interface Fetcher {
  fetch(request: Request): Response | Promise<Response>;
}

const ORIGIN = "http://localhost:3000";

/** A browser's half of the conversation: sends its cookies back, and follows nothing by itself. */
export class Client {
  readonly cookies = new Map<string, string>();
  readonly #app: Fetcher;

  constructor(app: Fetcher) {
    this.#app = app;
  }

  /** The session id that this client holds. */
  get id(): string | undefined {
    return this.cookies.get("session_id");
  }

  async send(path: string, init: RequestInit = {}): Promise<Response> {
    const headers = new Headers(init.headers);
    const pairs = [...this.cookies].map(([name, value]) => `${name}=${value}`);
    if (pairs.length > 0 && !headers.has("cookie")) headers.set("cookie", pairs.join("; "));
    const request = new Request(new URL(path, ORIGIN).href, { ...init, headers });
    const response = await this.#app.fetch(request);
    for (const line of response.headers.getSetCookie()) this.#keep(line);
    return response;
  }

  /** The body of a page. */
  async text(path: string, init?: RequestInit): Promise<string> {
    return (await this.send(path, init)).text();
  }

  /** Sends a form. */
  post(path: string, fields: Record<string, string> = {}): Promise<Response> {
    return this.send(path, { method: "POST", body: new URLSearchParams(fields) });
  }

  /** Another client with the same cookies, of the same app or another: a second tab, or a thief. */
  clone(app = this.#app): Client {
    const copy = new Client(app);
    for (const [name, value] of this.cookies) copy.cookies.set(name, value);
    return copy;
  }

  #keep(line: string): void {
    const { name, value, maxAge } = Bun.Cookie.parse(line);
    if (maxAge === 0) this.cookies.delete(name);
    else this.cookies.set(name, value);
  }
}
