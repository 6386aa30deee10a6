import { escapeError } from "../session/log.ts";
import type { SessionBackend } from "../store/backend.ts";

/** The part of Bun's server that shutdown uses. */
export interface StoppableServer {
  /** The number of requests that wait for a response or whose response is being sent. */
  readonly pendingRequests?: number;
  stop(closeActiveConnections?: boolean): Promise<void>;
}

/** An app that is being served. */
export interface Service {
  readonly backend: SessionBackend;
  /** How long shutdown waits for requests in progress, in milliseconds. */
  readonly shutdownTimeout: number;
  /** Bun's server; under `export default app` unknown until the first request. */
  server(): StoppableServer | undefined;
  /** Ends streams and sockets. From then on, every response closes its connection. */
  endConnections(): void;
  /** Returns a number that changes with every request that arrives after {@link endConnections}. */
  countArrivals(): number;
  /** Resolves when no request is in progress. */
  idle(): Promise<void>;
  /** Closes the app's resources and its sessions. */
  release(): Promise<void>;
  /** Its shutdown, while that is in progress. */
  stopping?: Promise<void> | undefined;
  /** Whether the app's own code has ended it, and may have more to do before the process exits. */
  isClosedByApp?: boolean;
}

/** The key of the one app that Bun serves as a default export. */
export const DEFAULT_EXPORT = "default export";

// `bun --hot` evaluates every module again, this one too. What has to survive is kept on
// `globalThis`.
const SERVICES = Symbol.for("bunpie.services");
const SIGNALS = ["SIGTERM", "SIGINT"] as const;

interface Shared {
  [SERVICES]?: Map<unknown, Service>;
}

/**
 * Registers an app that is being served, so that SIGTERM and SIGINT shut it down gracefully. A
 * service that was registered under the same key is that of the app from before a hot reload, and
 * is retired.
 */
export function startService(key: unknown, service: Service): void {
  const shared = globalThis as Shared;
  if (shared[SERVICES] === undefined) {
    shared[SERVICES] = new Map();
    endOnSignals(shared[SERVICES]);
  }
  const former = shared[SERVICES].get(key);
  shared[SERVICES].set(key, service);
  if (former === undefined || former === service || former.stopping !== undefined) return;
  retire(former, service).catch(complain);
}

/**
 * Releases the app from before a reload once its requests are answered. Clients of its sockets
 * reconnect to the new app.
 */
async function retire(former: Service, successor: Service): Promise<void> {
  former.endConnections();
  await within(former.shutdownTimeout, former.idle());
  if (former.backend !== successor.backend) await former.release();
}

/**
 * The server stops once no request has arrived for this long, in milliseconds. Bun's `stop()`
 * closes connections from which it has not read a request yet, even if one has arrived; so each
 * client is told first, with a response, that its connection closes.
 */
const QUIET = 100;

/** How long what was cut off may take to remove what it leaves behind, in milliseconds. */
const CLEAN_UP_TIME = 1000;

/** Ends a service on behalf of the app's own code. */
export function closeService(service: Service): Promise<void> {
  service.isClosedByApp = true;
  return stopService(service);
}

/** Ends a service once, whoever asks for that and how often: all wait for the same end. */
function stopService(service: Service): Promise<void> {
  service.stopping ??= stop(service).finally(() => {
    service.stopping = undefined;
  });
  return service.stopping;
}

/**
 * Stops a service: closes each connection after its next response, then accepts no new ones, gives
 * requests in progress time to finish, cuts off the rest, and closes resources and sessions. If the
 * service is not being served, only waits for its requests and closes resources and sessions.
 */
async function stop(service: Service): Promise<void> {
  const services = (globalThis as Shared)[SERVICES] ?? new Map<unknown, Service>();
  const isServed = [...services.values()].includes(service);
  // Until it has ended, the process does not exit on a signal.
  if (!isServed) services.set(service, service);
  try {
    service.endConnections();
    if (isServed) await endServer(service);
    // The server in which the app is mounted keeps running.
    else await within(service.shutdownTimeout, service.idle());
    await service.release();
  } finally {
    for (const [key, each] of services) if (each === service) services.delete(key);
  }
}

async function endServer(service: Service): Promise<void> {
  await within(service.shutdownTimeout, stopServer(service));
  await service.server()?.stop(true);
  await within(CLEAN_UP_TIME, service.idle());
}

/**
 * Resolves when all connections are closed, as Bun's own promise does; the caller sets the
 * deadline.
 */
async function stopServer(service: Service): Promise<void> {
  await waitUntilQuiet(service);
  const server = service.server();
  const stopped = server?.stop();
  if (server?.pendingRequests) sayWaiting(server.pendingRequests, service.shutdownTimeout);
  await stopped;
}

/**
 * Waits until no more requests arrive; if clients keep coming, for half of the timeout, which
 * leaves the other half to the requests in progress.
 */
async function waitUntilQuiet(service: Service): Promise<void> {
  const latest = performance.now() + service.shutdownTimeout / 2;
  let before: number;
  let arrivals = service.countArrivals();
  do {
    before = arrivals;
    await Bun.sleep(QUIET);
    // On a busy machine a timer fires before arrived requests are read; two turns of the event loop
    // read them.
    await turn();
    await turn();
    arrivals = service.countArrivals();
  } while (arrivals !== before && performance.now() < latest);
}

function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/** Tells a user at a terminal, who may have pressed Ctrl-C, what shutdown waits for. */
function sayWaiting(count: number, timeout: number): void {
  if (process.stdout.isTTY !== true) return;
  const requests = count === 1 ? "a request" : `${count} requests`;
  const seconds = timeout / 1000;
  console.info("Waiting up to %d s for %s. Press Ctrl-C again to exit at once.", seconds, requests);
}

/** Waits for a promise, but for at most `timeout` milliseconds. */
export async function within(timeout: number, what: Promise<unknown>): Promise<void> {
  const { promise: late, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, timeout);
  await Promise.race([what, late]);
  clearTimeout(timer);
}

function endOnSignals(services: ReadonlyMap<unknown, Service>): void {
  const end = async (signal: NodeJS.Signals): Promise<void> => {
    // A second signal ends the process at once.
    for (const each of SIGNALS) process.off(each, end);
    const { ended, failures } = await stopAll(services);
    for (const failure of failures) complain(failure);
    // Other listeners of the signal have work to finish, and exit the process afterwards.
    if (process.listenerCount(signal) > 0) return;
    const code = failures.length === 0 ? 0 : 1;
    const closed = ended.filter(({ isClosedByApp }) => isClosedByApp === true);
    if (closed.length === 0) process.exit(code);
    // A listener for one signal only is gone by now, but may have work to finish after close().
    if (code !== 0) process.exitCode = code;
    const timeout = Math.max(...closed.map(({ shutdownTimeout }) => shutdownTimeout));
    setTimeout(() => process.exit(), timeout).unref();
  };
  for (const signal of SIGNALS) process.on(signal, end);
}

/** Stops all services, and those that are added meanwhile: each is removed at its end. */
async function stopAll(
  services: ReadonlyMap<unknown, Service>,
): Promise<{ readonly ended: readonly Service[]; readonly failures: readonly unknown[] }> {
  const ended: Service[] = [];
  const failures: unknown[] = [];
  do {
    const all = [...services.values()];
    const stopped = await Promise.allSettled(all.map(stopService));
    ended.push(...all);
    for (const each of stopped) if (each.status === "rejected") failures.push(each.reason);
  } while (services.size > 0);
  return { ended, failures };
}

function complain(failure: unknown): void {
  console.error("Shutting down failed:", escapeError(failure));
}
