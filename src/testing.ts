export type { Fetcher } from "./testing/client.ts";
export { TestClient } from "./testing/client.ts";
export { testSessionBackend } from "./testing/session-backend.ts";
