export type { RedisLike, RedisSessionBackendOptions } from "./redis/backend.ts";
export { RedisSessionBackend } from "./redis/backend.ts";
