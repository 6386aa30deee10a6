import type { Answer, Exchange, Page } from "./history.ts";

/** In milliseconds; far beyond what a server that is well takes. */
const TIMEOUT = 15_000;
const COOKIE = "session_id";

/** A request that is to be sent. */
export type Order = Pick<
  Exchange,
  "device" | "account" | "server" | "page" | "cookie" | "key" | "value"
>;

/** Sends requests to some servers, and keeps the history. */
export class Client {
  readonly history: Exchange[] = [];
  readonly #urls: readonly string[];
  readonly #begun = performance.now();

  constructor(urls: readonly string[]) {
    this.#urls = urls;
  }

  get servers(): number {
    return this.#urls.length;
  }

  async send(order: Order): Promise<Exchange> {
    const start = performance.now() - this.#begun;
    const reply = await this.#fetch(order);
    const end = performance.now() - this.#begun;
    const exchange = { id: this.history.length, ...order, start, end, ...reply };
    this.history.push(exchange);
    return exchange;
  }

  async #fetch(order: Order): Promise<Reply> {
    const { server, page, cookie } = order;
    const url = new URL(page, this.#urls[server]);
    for (const name of ["device", "account", "key", "value"] as const) {
      const value = order[name];
      if (value !== undefined) url.searchParams.set(name, value);
    }
    try {
      const response = await fetch(url, {
        method: chooseMethod(page),
        headers: cookie === null ? {} : { cookie: `${COOKIE}=${cookie}` },
        redirect: "manual",
        // A connection that is used again is one on which `fetch` may send a request again.
        keepalive: false,
        signal: AbortSignal.timeout(TIMEOUT),
      });
      const text = await response.text();
      return readReply(response, text);
    } catch (error) {
      const detail = error instanceof Error && "code" in error ? String(error.code) : String(error);
      const outcome = detail === "ECONNREFUSED" ? "unsent" : "lost";
      return { outcome, detail, answer: null, issued: null, isCleared: false };
    }
  }
}

type Reply = Pick<Exchange, "outcome" | "detail" | "answer" | "issued" | "isCleared">;

function chooseMethod(page: Page): string {
  return page === "read" ? "GET" : "POST";
}

function readReply(response: Response, text: string): Reply {
  const detail = String(response.status);
  const nothing = { detail, answer: null, issued: null, isCleared: false };
  if (response.status === 503) return { outcome: "refused", ...nothing };
  if (response.status !== 200) return { outcome: "odd", ...nothing };
  const value = readCookie(response.headers.getSetCookie());
  return {
    outcome: "answered",
    detail,
    answer: JSON.parse(text) as Answer,
    issued: value === "" ? null : value,
    isCleared: value === "",
  };
}

/** What the lines leave in the cookie: `null` if they leave it alone. */
function readCookie(lines: readonly string[]): string | null {
  const line = lines.findLast((each) => each.startsWith(`${COOKIE}=`));
  return line?.slice(COOKIE.length + 1).split(";", 1)[0] ?? null;
}
