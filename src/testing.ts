/// <reference types="bun-types" preserve="true" />
/**
 * A client for testing apps, and the contract kit for session backends.
 *
 * @module bunpie/testing
 */
import "./runtime.ts";

export type { Fetcher } from "./testing/client.ts";
export { TestClient } from "./testing/client.ts";
export type { TestEvent } from "./testing/test-events.ts";
export type { SocketEnd, TestSocket } from "./testing/test-socket.ts";
export { testSessionBackend } from "./testing/session-backend.ts";
