import { connect } from "node:net";

/** A server that tests need, and that a machine may not have. */
export interface Service {
  /** With its port. */
  readonly url: string;
  /** Whether it answers. If not, its tests are skipped: `describe.skipIf(!redis.isThere)`. */
  readonly isThere: boolean;
}

const SERVICES = {
  redis: {
    name: "Redis",
    variable: "REDIS_URL",
    url: "redis://127.0.0.1:6379",
    remedy: "apt-get install redis-server && redis-server --daemonize yes",
  },
  postgres: {
    name: "PostgreSQL",
    variable: "DATABASE_URL",
    url: "postgres://postgres@127.0.0.1:5432/test",
    remedy: "apt-get install postgresql && service postgresql start",
  },
} as const;

/**
 * Looks whether a server is there, and says so where it is not. With `REQUIRE_SERVICES=1` that is an
 * error, so that nobody takes a test that was skipped for one that held.
 */
export async function serviceAt(key: keyof typeof SERVICES): Promise<Service> {
  const { name, variable, url: usual, remedy } = SERVICES[key];
  const url = new URL(process.env[variable] ?? usual);
  if (url.port === "") url.port = new URL(usual).port;
  const isThere = await isListening(url);
  const what = `${name} does not answer at ${url.host}`;
  if (!isThere) tellMissing(what, `${remedy}; or set ${variable}`);
  return { url: url.href, isThere };
}

/** The same for a program that tests run by themselves. */
export function hasProgram(program: string, remedy: string): boolean {
  const isThere = Bun.which(program) !== null;
  if (!isThere) tellMissing(`${program} is not installed`, remedy);
  return isThere;
}

const told = new Set<string>();

function tellMissing(what: string, remedy: string): void {
  if (process.env["REQUIRE_SERVICES"] === "1") throw new Error(`${what}. ${remedy}`);
  if (!told.has(what)) console.warn(`SKIPPED what needs it: ${what}. To have it run: ${remedy}`);
  told.add(what);
}

async function isListening({ hostname, port }: URL): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const socket = connect(Number(port), hostname, () => resolve(true));
  socket.setTimeout(1_000, () => resolve(false));
  socket.on("error", () => resolve(false));
  const isThere = await promise;
  socket.destroy();
  return isThere;
}
