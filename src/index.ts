export type { AppOptions, ListenOptions } from "./app/app.ts";
export { App } from "./app/app.ts";
export { HttpError } from "./app/errors.ts";
export { html } from "./app/html.ts";
export type { AppRequest } from "./app/request.ts";
export type { InMemorySessionBackendOptions } from "./backends/memory.ts";
export { InMemorySessionBackend } from "./backends/memory.ts";
export type {
  MaybePromise,
  SessionBackend,
  SessionData,
  SessionInfo,
  SessionRecord,
} from "./session/backend.ts";
export { SESSION_TIMEOUT, SessionStore } from "./session/backend.ts";
export type { CookieOptions } from "./session/cookie.ts";
export { SessionDataError, SessionStoreError } from "./session/errors.ts";
export type { SessionEvent, SessionStats } from "./session/events.ts";
export type { RevokeAllOptions } from "./session/manager.ts";
export { Sessions } from "./session/manager.ts";
export type { SessionOptions, SessionsOptions } from "./session/options.ts";
export type { OpenSession, Session, SessionMeta } from "./session/session.ts";
