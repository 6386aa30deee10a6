/// <reference types="bun-types" preserve="true" />
import "../runtime.ts";

export type { RedisLike, RedisSessionBackendOptions, RedisTls } from "./redis/backend.ts";
export { RedisSessionBackend } from "./redis/backend.ts";
