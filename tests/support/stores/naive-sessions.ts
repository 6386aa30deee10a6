import { hashId } from "../../../src/session/id.ts";
import type { SessionBackend, SessionData } from "../../../src/store/backend.ts";
import { SESSION_TIMEOUT } from "../../../src/store/backend.ts";
import type { MaybePromise } from "../../../src/store/maybe-promise.ts";
import { SessionStore } from "../../../src/store/session-store.ts";

/** What a handler gets from either layer, as far as a race needs it. */
export interface SharedSession {
  [key: string]: unknown;
  update(change: (data: SessionData) => void): Promise<boolean>;
}

/** What can serve requests that write one session: ours, or a naive one. */
export interface SessionLayer {
  wrap(
    handler: (request: Request, session: SharedSession) => Promise<Response>,
  ): (request: Request) => MaybePromise<Response>;
  close(): Promise<void>;
}

/**
 * A session layer as many are: it loads the session, lets the handler change it, and saves it. Each of
 * the three is in order by itself. What a check of races says of ours is worth something only if it
 * finds fault with this one.
 */
export class NaiveSessions implements SessionLayer {
  readonly #backend: SessionBackend;

  constructor({ backend }: { readonly backend: SessionBackend }) {
    this.#backend = backend;
  }

  wrap(
    handler: (request: Request, session: SharedSession) => Promise<Response>,
  ): (request: Request) => Promise<Response> {
    return async (request) => {
      const id = new Bun.CookieMap(request.headers.get("cookie") ?? "").get("session_id") ?? "";
      const key = hashId(id);
      const data: SessionData = { ...(await this.#backend.load(key)) };
      const session = withUpdate(data);
      const response = await handler(request, session);
      await this.#backend.save(key, { ...session }, SESSION_TIMEOUT);
      return response;
    };
  }

  async close(): Promise<void> {
    if (this.#backend instanceof SessionStore) await this.#backend.close();
  }
}

/** Such layers have no `update`: their handlers change what they were given. */
function withUpdate(data: SessionData): SharedSession {
  const update = async (change: (data: SessionData) => void): Promise<boolean> => {
    change(data);
    return true;
  };
  return Object.defineProperty(data, "update", { value: update }) as SharedSession;
}
