/// <reference types="bun-types" preserve="true" />
/**
 * `App`, what pages return, `Sessions` and the in-memory backend.
 *
 * @module bunpie
 */
import "./runtime.ts";

export type { AppOptions, ListenOptions } from "./app/app.ts";
export { App } from "./app/app.ts";
export { redirect, status } from "./app/answers.ts";
export type { FilesOptions, PartsOptions } from "./app/body.ts";
export type { CompressOptions } from "./app/compress.ts";
export { compress } from "./app/compress.ts";
export { HttpError } from "./app/errors.ts";
export type { EventStreamOptions, ServerSentEvent } from "./app/event-stream.ts";
export { eventStream } from "./app/event-stream.ts";
export type { Files, FolderOptions } from "./app/files.ts";
export { files } from "./app/files.ts";
export type { StoppableServer } from "./app/lifecycle.ts";
export type { LogEntry } from "./app/log.ts";
export type { Html } from "./app/html.ts";
export { html } from "./app/html.ts";
export { createElement } from "./app/jsx-runtime.ts";
export type { Middleware } from "./app/middleware.ts";
export type { AppRequest } from "./app/request.ts";
export { routes } from "./app/routes.ts";
export type { Routes } from "./app/routes.ts";
export type { ServerLike } from "./app/server-like.ts";
export type { AcceptOptions, Socket } from "./app/socket.ts";
export type { WebSocketHandlers } from "./app/sockets.ts";
export type { SaveOptions, UploadPart } from "./app/upload-part.ts";
export type { UploadedFile } from "./app/uploaded-file.ts";
export type { Problem } from "./app/validate.ts";
export { InvalidInput } from "./app/validate.ts";
export type { ResponseDraft } from "./app/visit.ts";
export type { InMemorySessionBackendOptions } from "./backends/memory/backend.ts";
export { InMemorySessionBackend } from "./backends/memory/backend.ts";
export type { CrossOriginOptions } from "./http/cross-origin.ts";
export { CrossOriginError } from "./http/errors.ts";
export type { SessionsOptions } from "./http/sessions.ts";
export { Sessions } from "./http/sessions.ts";
export type { CookieOptions } from "./session/cookie.ts";
export { SessionDataError } from "./session/errors.ts";
export type { SessionEvent, SessionStats } from "./session/events.ts";
export type { OpenSession } from "./session/open-session.ts";
export type { SessionOptions } from "./session/options.ts";
export type {
  AnySession,
  LoginOptions,
  Session,
  SessionMeta,
  SessionMethods,
  SessionShape,
} from "./session/session.ts";
export type { ListedSession, ListOptions, RevokeAllOptions } from "./session/users.ts";
export type { SessionEnd } from "./session/watchlist.ts";
export type { SessionBackend, SessionData } from "./store/backend.ts";
export { SESSION_TIMEOUT } from "./store/backend.ts";
export { SessionStoreError } from "./store/errors.ts";
export type { StoreUse } from "./store/guarded-store.ts";
export type { MaybePromise } from "./store/maybe-promise.ts";
export type { ForwardingNote, SessionInfo, SessionRecord, SessionTimes } from "./store/record.ts";
export type { EndListener, StopWatching } from "./store/session-store.ts";
export { SessionStore } from "./store/session-store.ts";
