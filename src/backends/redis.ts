export type { RedisLike, RedisSessionBackendOptions, RedisTls } from "./redis/backend.ts";
export { RedisSessionBackend } from "./redis/backend.ts";
