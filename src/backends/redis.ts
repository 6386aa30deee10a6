/// <reference types="bun-types" preserve="true" />
/**
 * Sessions in Redis or Valkey.
 *
 * @module bunpie/redis
 */
import "../runtime.ts";

export type { RedisLike, RedisSessionBackendOptions, RedisTls } from "./redis/backend.ts";
export { RedisSessionBackend } from "./redis/backend.ts";
