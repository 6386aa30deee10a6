import type { RedisLike } from "bunpie/redis";
import { RedisSessionBackend } from "bunpie/redis";

export const makeBackend = (url: string) => new RedisSessionBackend(url, { prefix: "shop:" });
export const overClient = (client: RedisLike) => new RedisSessionBackend(client);

console.log(RedisSessionBackend.name);
