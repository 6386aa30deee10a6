/** One piece of work, done one way. */
export interface Contestant {
  readonly name: string;
  /** What is served, for the table. */
  readonly work: string;
  /** The program, in `servers/`. It is given a file to keep its database in, and `storage`. */
  readonly server:
    | "hello"
    | "map-counter"
    | "text-counter"
    | "sqlite-counter"
    | "bunpie"
    | "elysia-hello"
    | "elysia"
    | "hono-hello"
    | "hono";
  readonly storage: "memory" | "normal" | "full";
  readonly path: string;
  /** What every session has to be shown. A counter has none: its visits are added up instead. */
  readonly page?: string;
  /** The hand-written SQLite counter that does as much for a session's safety. */
  readonly floor?: string;
  /** The most CPU time that it may take, as a multiple of another contestant's (design, section 7). */
  readonly target?: { readonly ratio: number; readonly of: string };
}

const ONE_VISIT = "You have visited 1 times.";

export const CONTESTANTS: readonly Contestant[] = [
  {
    name: "hello",
    work: "bare Bun.serve",
    server: "hello",
    storage: "memory",
    path: "/",
    page: "hello",
  },
  {
    name: "map",
    work: "counter by hand, cookie and Map",
    server: "map-counter",
    storage: "memory",
    path: "/",
  },
  {
    name: "map-text",
    work: "the same with hashed ids, text, expiry, Vary",
    server: "text-counter",
    storage: "memory",
    path: "/",
  },
  {
    name: "raw-sqlite",
    work: "counter by hand, raw bun:sqlite",
    server: "sqlite-counter",
    storage: "normal",
    path: "/",
  },
  {
    name: "raw-sqlite-full",
    work: "counter by hand, raw bun:sqlite, FULL",
    server: "sqlite-counter",
    storage: "full",
    path: "/",
  },
  {
    name: "memory",
    work: "counter on App, memory",
    server: "bunpie",
    storage: "memory",
    path: "/",
    target: { ratio: 1.2, of: "hello" },
  },
  {
    name: "memory-page",
    work: "page that reads the session, memory",
    server: "bunpie",
    storage: "memory",
    path: "/page",
    page: ONE_VISIT,
  },
  {
    name: "memory-plain",
    work: "page without a session, cookie present, memory",
    server: "bunpie",
    storage: "memory",
    path: "/plain",
    page: "hello",
    target: { ratio: 1.12, of: "hello" },
  },
  {
    name: "sqlite",
    work: "counter on App, SQLite",
    server: "bunpie",
    storage: "normal",
    path: "/",
    floor: "raw-sqlite",
    target: { ratio: 0.65, of: "raw-sqlite" },
  },
  {
    name: "sqlite-full",
    work: "counter on App, SQLite, FULL",
    server: "bunpie",
    storage: "full",
    path: "/",
    floor: "raw-sqlite-full",
    target: { ratio: 0.25, of: "raw-sqlite-full" },
  },
  {
    name: "sqlite-page",
    work: "page that reads the session, SQLite",
    server: "bunpie",
    storage: "normal",
    path: "/page",
    page: ONE_VISIT,
    floor: "raw-sqlite",
    target: { ratio: 1.6, of: "hello" },
  },
  {
    name: "elysia",
    work: "bare Elysia",
    server: "elysia-hello",
    storage: "memory",
    path: "/",
    page: "hello",
  },
  {
    name: "elysia-memory",
    work: "counter on Elysia, memory",
    server: "elysia",
    storage: "memory",
    path: "/",
  },
  {
    name: "hono",
    work: "bare Hono",
    server: "hono-hello",
    storage: "memory",
    path: "/",
    page: "hello",
  },
  {
    name: "hono-memory",
    work: "counter on Hono, memory",
    server: "hono",
    storage: "memory",
    path: "/",
  },
];
