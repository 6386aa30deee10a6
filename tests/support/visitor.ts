import type { Sessions } from "../../src/http/sessions.ts";
import type { Session } from "../../src/session/session.ts";
import { TestClient } from "../../src/testing/client.ts";

/** What a page does with the session. What it returns is the response, or the response's JSON. */
export type Page = (session: Session) => unknown;

/** A browser that visits pages which a test makes up as it goes along. */
export class Visitor {
  readonly client: TestClient;
  readonly #sessions: Sessions;
  readonly #pages: Page[] = [];

  constructor(sessions: Sessions) {
    this.#sessions = sessions;
    this.client = new TestClient({ fetch: (request) => this.#answer(request) });
  }

  /** One turn of HTTP. */
  visit(page: Page, init?: RequestInit): Promise<Response> {
    const path = `/${this.#pages.push(page) - 1}`;
    return this.client.send(path, init);
  }

  /** The same, for what the page returns. */
  async ask(page: Page, init?: RequestInit): Promise<unknown> {
    return (await this.visit(page, init)).json();
  }

  /** What the session holds, as the next request sees it. */
  look(init?: RequestInit): Promise<unknown> {
    return this.ask((session) => ({ ...session }), init);
  }

  /** The session id that the visitor holds. */
  get id(): string {
    const { sessionId } = this.client;
    if (sessionId === undefined) throw new Error("This visitor has no session.");
    return sessionId;
  }

  /** Whether the visitor holds a session id. */
  get hasCookie(): boolean {
    return this.client.sessionId !== undefined;
  }

  /** Another visitor with the same cookie: a second tab, or a thief. */
  clone(sessions = this.#sessions): Visitor {
    const copy = new Visitor(sessions);
    for (const [name, value] of this.client.cookies) copy.client.cookies.set(name, value);
    return copy;
  }

  async #answer(request: Request): Promise<Response> {
    const page = this.#pages[Number(new URL(request.url).pathname.slice(1))];
    return this.#sessions.wrap(async (_request, session) => {
      const value = await page?.(session);
      return value instanceof Response ? value : Response.json(value ?? null);
    })(request);
  }
}

/** The response's lines for the session's cookie. */
export function sessionCookies(response: Response, name = "session_id"): string[] {
  return response.headers.getSetCookie().filter((line) => line.startsWith(`${name}=`));
}
