import { BACKENDS, STORES } from "./backends.ts";
import { POSTGRES_STORES } from "./postgres-store.ts";

export { begin, closeSites, overlap, Site } from "./site.ts";

/** Every store that knows its users, those included whose server is there, for `describe.each`. */
export const EVERY_STORE = [...STORES, ...POSTGRES_STORES] as const;

/** Those, and the backends of two methods. */
export const EVERY_BACKEND = [...BACKENDS, ...POSTGRES_STORES] as const;
