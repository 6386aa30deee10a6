export type { AppOptions, ListenOptions } from "./app/app.ts";
export { App } from "./app/app.ts";
export { HttpError } from "./app/errors.ts";
export { html } from "./app/html.ts";
export type { AppRequest } from "./app/request.ts";
export type { InMemorySessionBackendOptions } from "./backends/memory/backend.ts";
export { InMemorySessionBackend } from "./backends/memory/backend.ts";
export type {
  MaybePromise,
  SessionBackend,
  SessionData,
  SessionInfo,
  SessionRecord,
} from "./store/backend.ts";
export { SESSION_TIMEOUT, SessionStore } from "./store/backend.ts";
export type { CookieOptions } from "./session/cookie.ts";
export { SessionDataError } from "./session/errors.ts";
export { SessionStoreError } from "./store/errors.ts";
export type { SessionEvent, SessionStats } from "./session/events.ts";
export type { RevokeAllOptions } from "./session/manager.ts";
export { Sessions } from "./session/manager.ts";
export type { SessionOptions, SessionsOptions } from "./session/options.ts";
export type { OpenSession, Session, SessionMeta } from "./session/session.ts";
