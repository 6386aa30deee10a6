/** Where a subject stores its sessions. SQLite's `synchronous` is NORMAL or FULL. */
export type Storage = "memory" | "cookie" | "normal" | "full" | "redis" | "postgres";

export const STORAGE_TITLES: Readonly<Record<Storage, string>> = {
  memory: "memory",
  cookie: "cookie",
  normal: "SQLite",
  full: "SQLite, FULL",
  redis: "Redis",
  postgres: "PostgreSQL",
};

/** A server program that is measured. */
export interface Subject {
  /** Its name in tables. */
  readonly name: string;
  /** The program, relative to this folder. It is started with `storage`, a target and a name. */
  readonly program: string;
  readonly storage: Storage;
  /** What runs it; Bun by default. */
  readonly runtime?: "bun" | "node";
  /** Whether it is Bunpie. */
  readonly isOurs?: boolean;
  /** How many processes share its port; one by default. */
  readonly processes?: number;
  /** Whether it is not pinned to a core. */
  readonly isUnpinned?: boolean;
  /** Distinguishes two servers of the same program and name. */
  readonly variant?: string;
}

export const HELLO: Subject = {
  name: "bare Bun.serve",
  program: "servers/hello.ts",
  storage: "memory",
};

/** Bunpie's `App` over a store. */
export function bunpieOn(storage: Storage, more: Partial<Subject> = {}): Subject {
  return { name: "Bunpie", program: "servers/bunpie.ts", storage, isOurs: true, ...more };
}

/** What distinguishes two servers. */
export function toKey({ program, runtime = "bun", storage, variant = "" }: Subject): string {
  return `${program} ${runtime} ${storage} ${variant}`;
}
