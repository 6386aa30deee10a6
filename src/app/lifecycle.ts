import { escapeError } from "../session/log.ts";
import type { SessionBackend } from "../store/backend.ts";

/** A server, as far as it is shut down here. */
export interface StoppableServer {
  /** How many requests have no response yet, or one that is still being sent. */
  readonly pendingRequests?: number;
  stop(closeActiveConnections?: boolean): Promise<void>;
}

/** An app that is being served. */
export interface Service {
  readonly backend: SessionBackend;
  /** How long requests may take to finish, in milliseconds, once the service is told to stop. */
  readonly shutdownTimeout: number;
  /** Bun's server; not known under `export default app` until the first request. */
  server(): StoppableServer | undefined;
  /** Ends streams and sockets. From now on every response says that it is the last on its connection. */
  endConnections(): void;
  /** Changes with every request that arrives after {@link endConnections}. */
  countArrivals(): number;
  /** Resolves when no request is under way. */
  idle(): Promise<void>;
  /** Lets go of all that the app holds: what it owns, and its sessions. */
  release(): Promise<void>;
}

/** Stands for the one app that Bun serves as a default export. */
export const DEFAULT_EXPORT = "default export";

// `bun --hot` evaluates every module anew, this one too. What must outlive that is kept here.
const SERVICES = Symbol.for("bunpie.services");
const SIGNALS = ["SIGTERM", "SIGINT"] as const;

interface Shared {
  [SERVICES]?: Map<unknown, Service>;
}

/**
 * Notes that an app is being served, so that it ends in good order on SIGTERM and SIGINT. An app
 * under the same key is the one from before a hot reload: its timers and database are let go.
 */
export function startService(key: unknown, service: Service): void {
  const shared = globalThis as Shared;
  if (shared[SERVICES] === undefined) {
    shared[SERVICES] = new Map();
    endOnSignals(shared[SERVICES]);
  }
  const former = shared[SERVICES].get(key);
  shared[SERVICES].set(key, service);
  if (former !== undefined && former !== service) void letGo(former, service);
}

/** The requests that the app from before a reload still answers keep what they need. Sockets come back to the new one. */
async function letGo(former: Service, successor: Service): Promise<void> {
  former.endConnections();
  await within(former.shutdownTimeout, former.idle());
  if (former.backend !== successor.backend) await former.release();
}

/**
 * The server stops once no request has arrived for so long, in milliseconds. Bun's `stop()` closes connections on
 * which it has not read a request yet, even if one has arrived there; so each has to be told before, with a response.
 */
const QUIET = 100;

/**
 * Stops a service: connections end with their next response, then no new ones, time for requests
 * under way to finish, the rest by force, then the sessions. Of one that is not being served, it
 * closes the sessions.
 */
export async function stopService(service: Service): Promise<void> {
  const services = (globalThis as Shared)[SERVICES] ?? new Map<unknown, Service>();
  let isServed = false;
  for (const [key, candidate] of services) {
    if (candidate === service) isServed = services.delete(key);
  }
  service.endConnections();
  if (isServed) await within(service.shutdownTimeout, stopServer(service));
  // Another server, in which the app is mounted, goes on.
  else await within(service.shutdownTimeout, service.idle());
  await service.server()?.stop(true);
  await service.release();
}

/** Takes as long as a connection stays open: Bun's own promise never settles before. The deadline is the caller's. */
async function stopServer(service: Service): Promise<void> {
  await untilQuiet(service);
  const server = service.server();
  const stopped = server?.stop();
  if (server?.pendingRequests) sayWaiting(server.pendingRequests, service.shutdownTimeout);
  await stopped;
}

/**
 * Waits until no more requests arrive; where new clients keep coming, for half of the timeout: the other half is for
 * the requests under way.
 */
async function untilQuiet(service: Service): Promise<void> {
  const latest = performance.now() + service.shutdownTimeout / 2;
  let before: number;
  let arrivals = service.countArrivals();
  do {
    before = arrivals;
    await Bun.sleep(QUIET);
    // On a busy machine, a timer fires before what has arrived meanwhile is read: two turns of the event loop do that.
    await turn();
    await turn();
    arrivals = service.countArrivals();
  } while (arrivals !== before && performance.now() < latest);
}

function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/** Only for somebody at a terminal, who may have pressed Ctrl-C. */
function sayWaiting(count: number, timeout: number): void {
  if (process.stdout.isTTY !== true) return;
  const requests = count === 1 ? "a request" : `${count} requests`;
  const seconds = timeout / 1000;
  console.info("Waiting up to %d s for %s. Ctrl-C ends it at once.", seconds, requests);
}

/** Waits for something, but no longer than this, in milliseconds. */
export async function within(timeout: number, what: Promise<unknown>): Promise<void> {
  const { promise: late, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, timeout);
  await Promise.race([what, late]);
  clearTimeout(timer);
}

function endOnSignals(services: ReadonlyMap<unknown, Service>): void {
  const end = async (signal: NodeJS.Signals): Promise<void> => {
    // From here on a second signal ends the process at once.
    for (const each of SIGNALS) process.off(each, end);
    const stopped = await Promise.allSettled([...services.values()].map(stopService));
    const failures = stopped.filter((each) => each.status === "rejected");
    for (const { reason } of failures) console.error("Shutting down failed:", escapeError(reason));
    // Whoever else listens for the signal has things to finish, and ends the process afterwards.
    if (process.listenerCount(signal) === 0) process.exit(failures.length === 0 ? 0 : 1);
  };
  for (const signal of SIGNALS) process.on(signal, end);
}
