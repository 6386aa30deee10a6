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
 * Looks whether a server is there, and notes in `LEFT_OUT` where it is not. With `REQUIRE_SERVICES=1`
 * that is an error, so that nobody takes a test that was skipped for one that held.
 */
export async function serviceAt(key: keyof typeof SERVICES): Promise<Service> {
  const { name, variable, url: usual, remedy } = SERVICES[key];
  const url = new URL(process.env[variable] ?? usual);
  if (url.port === "") url.port = new URL(usual).port;
  const isThere = await isListening(url);
  const what = `${name} does not answer at ${url.host}`;
  if (!isThere) leaveOut(what, `${remedy}; or set ${variable}`);
  return { url: url.href, isThere };
}

/** The same for a program that tests run by themselves. */
export function hasProgram(program: string, remedy: string): boolean {
  const isThere = Bun.which(program) !== null;
  if (!isThere) leaveOut(`${program} is not installed`, remedy);
  return isThere;
}

/** What this process leaves out, a line each. tests/left-out.test.ts says it once for a whole run. */
export const LEFT_OUT = new Set<string>();

function leaveOut(what: string, remedy: string): void {
  if (process.env["REQUIRE_SERVICES"] === "1") throw new Error(`${what}. ${remedy}`);
  LEFT_OUT.add(`Tests that need it are skipped: ${what}. To run them: ${remedy}`);
}

async function isListening({ hostname, port }: URL): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const socket = connect(Number(port), hostname, () => resolve(true));
  // Where nobody listens is refused at once: this is for a network that says nothing at all.
  socket.setTimeout(30_000, () => resolve(false));
  socket.on("error", () => resolve(false));
  const isThere = await promise;
  socket.destroy();
  return isThere;
}
