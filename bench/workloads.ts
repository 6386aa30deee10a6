import { fillStore } from "./fill.ts";
import type { ServerProcess, Usage } from "./server-process.ts";
import type { Load } from "./wrk.ts";

/** How many sessions take turns: per connection, and at least. So no two requests of one session overlap. */
const SESSIONS = { perConnection: 4, least: 400 };

/** How many cookies are requested concurrently. */
const AT_ONCE = 50;

/** The result of checking the responses: what is wrong, and which part was lost if that is not a fault. */
export interface Findings {
  readonly faults: readonly string[];
  /** The share of visits that the counters lack. */
  readonly lost: number;
}

/** How often handlers ran, and the events of sessions. */
export type Happened = Pick<Usage, "handled" | "events">;

/** A workload prepared for a running server. */
export interface Preparation {
  /** Returns the next load, of at most `most` requests if each is sent only once. */
  next(most: number): Load | Promise<Load>;
  /** Checks the responses, given what happened during the loads. */
  check(happened: Happened): Promise<Findings>;
}

export interface Workload {
  readonly name: string;
  /** A description for the table. */
  readonly title: string;
  prepare(server: ServerProcess, connections: number): Promise<Preparation>;
}

function countSessions(connections: number): number {
  return Math.max(SESSIONS.least, SESSIONS.perConnection * connections);
}

/** Requests a page repeatedly, with the sessions in turn. */
function prepareCounter(first: string, path = "/"): Workload["prepare"] {
  return async (server, connections) => {
    const cookies = await establish(server, first, countSessions(connections));
    return {
      next: () => ({ requests: cookies.map((cookie) => ({ path, cookie })) }),
      check: ({ handled }) => checkSums(server, "/page", cookies, cookies.length + handled),
    };
  };
}

function preparePage(path: string, page: string): Workload["prepare"] {
  return async (server, connections) => {
    const cookies = await establish(server, "/", connections);
    return {
      next: () => ({ requests: cookies.map((cookie) => ({ path, cookie })) }),
      check: () => checkPages(server, path, cookies, page),
    };
  };
}

/** One request for each of a list of new sessions. */
function prepareOnce(
  created: { readonly path: string; readonly method: string },
  path: string,
  event: string,
): Workload["prepare"] {
  let sent = 0;
  return async (server) => ({
    next: async (count) => {
      const cookies = (await server.ask({ name: "create", count, ...created })) as string[];
      return {
        requests: cookies.map((cookie) => ({
          method: "POST",
          path: path.replace("*", String(++sent)),
          cookie,
        })),
        once: true,
      };
    },
    check: async (happened) => checkEvent(happened, event),
  });
}

export const COUNTER: Workload = {
  name: "counter",
  title: "counter: the session is read and written",
  prepare: async (server, connections) =>
    server.subject.storage === "cookie"
      ? prepareSealed(server, connections)
      : prepareCounter("/")(server, connections),
};

export const READ: Workload = {
  name: "read",
  title: "page that only reads the session",
  prepare: preparePage("/page", "You have visited 1 times."),
};

export const BARE: Workload = {
  name: "bare",
  title: "page that ignores the session",
  prepare: preparePage("/bare", "hello"),
};

/** The cost of the framework alone: the page does not access the session, and there is none. */
export const FRAMEWORK: Workload = {
  name: "framework",
  title: "page without a session, no cookie",
  prepare: async (server) => ({
    next: () => ({ requests: [{ path: "/bare" }] }),
    check: () => checkPages(server, "/bare", [""], "hello"),
  }),
};

/** Two connections to one session, each with a counter under its own key. */
export const TABS: Workload = {
  name: "tabs",
  title: "two concurrent tabs, each with its own counter",
  prepare: async (server, connections) => {
    const cookies = await establish(server, "/", Math.ceil(countSessions(connections) / 2));
    return {
      next: () => ({
        requests: cookies.flatMap((cookie) => [
          { path: "/tab/a", cookie },
          { path: "/tab/b", cookie },
        ]),
      }),
      check: ({ handled }) => checkSums(server, "/tabs", cookies, handled),
    };
  },
};

export const WORKLOADS: readonly Workload[] = [
  COUNTER,
  READ,
  BARE,
  {
    name: "anonymous",
    title: "page that reads the session, no cookie",
    prepare: async (server) => ({
      next: () => ({ requests: [{ path: "/page" }] }),
      check: () => checkPages(server, "/page", [""], "You have visited 0 times."),
    }),
  },
  {
    name: "first visit",
    title: "first visit: no cookie, a session begins",
    prepare: async () => ({
      next: () => ({ requests: [{ path: "/" }] }),
      check: async (happened) => checkEvent(happened, "created"),
    }),
  },
  { name: "8 KB", title: "counter in a session of 8 KB", prepare: prepareCounter("/fill/8192") },
  {
    name: "login",
    title: "login of a visitor with a session: a new id",
    prepare: prepareOnce({ path: "/", method: "GET" }, "/login/u*", "rotated"),
  },
  {
    name: "logout",
    title: "logout",
    prepare: prepareOnce({ path: "/login/v*", method: "POST" }, "/logout", "destroyed"),
  },
  TABS,
];

/** For several processes: requests to the others may overtake any number of those to one that is blocked. */
export const EXACT: Workload = {
  name: "exact",
  title: "counter by update()",
  prepare: prepareCounter("/", "/exact"),
};

/** A counter in a session of `bytes` bytes. */
export function makeCounter(bytes: number): Workload {
  return {
    name: `${bytes} B`,
    title: `counter in a session of ${bytes} bytes`,
    prepare: prepareCounter(`/fill/${bytes}`),
  };
}

/** How many of the stored sessions are visited: too many for the processor's caches. */
const VISITED = 4_000;

/** A counter while `count` sessions are stored, of which some are visited in turn. */
export function counterAmong(count: number): Workload {
  return {
    name: `${count} stored`,
    title: `counter among ${count} stored sessions`,
    prepare: async (server) => {
      const cookies = await fillStore(server, count, VISITED);
      return {
        next: () => ({ requests: cookies.map((cookie) => ({ path: "/", cookie })) }),
        check: ({ handled }) => checkSums(server, "/page", cookies, cookies.length + handled),
      };
    },
  };
}

/** For data in the cookie: each request sends the first cookie again, so every response is 2. */
async function prepareSealed(server: ServerProcess, connections: number): Promise<Preparation> {
  const cookies = await establish(server, "/", connections);
  return {
    next: () => ({ requests: cookies.map((cookie) => ({ path: "/", cookie })) }),
    check: () => checkPages(server, "/", cookies, "You have visited 2 times."),
  };
}

/** The cookies of new sessions, as a browser would send them. */
export async function establish(
  server: ServerProcess,
  path: string,
  count: number,
): Promise<string[]> {
  return inBatches(Array.from({ length: count }), async () => {
    const response = await fetch(server.url(path));
    const pairs = response.headers.getSetCookie().map((line) => line.split(";", 1).join());
    if (response.status !== 200 || pairs.length === 0) {
      throw new Error(
        `A first visit to ${path} was answered ${response.status}, without a cookie.`,
      );
    }
    return pairs.join("; ");
  });
}

/** The pages that the sessions see, with the status if it is not 200. */
function read(server: ServerProcess, path: string, cookies: readonly string[]): Promise<string[]> {
  return inBatches(cookies, async (cookie) => {
    const response = await fetch(server.url(path), cookie === "" ? {} : { headers: { cookie } });
    const page = await response.text();
    return response.status === 200 ? page : `${response.status} ${page}`;
  });
}

async function inBatches<T, R>(items: readonly T[], work: (item: T) => Promise<R>): Promise<R[]> {
  const results: R[] = [];
  for (let first = 0; first < items.length; first += AT_ONCE) {
    results.push(...(await Promise.all(items.slice(first, first + AT_ONCE).map(work))));
  }
  return results;
}

async function checkPages(
  server: ServerProcess,
  path: string,
  cookies: readonly string[],
  page: string,
): Promise<Findings> {
  const answers = await read(server, path, cookies);
  const wrong = answers.filter((answer) => answer !== page);
  const faults = wrong.length === 0 ? [] : [`${wrong.length} sessions were shown "${wrong[0]}".`];
  return { faults, lost: 0 };
}

async function checkSums(
  server: ServerProcess,
  path: string,
  cookies: readonly string[],
  expected: number,
): Promise<Findings> {
  return compareSums(await read(server, path, cookies), expected);
}

/** The sum of all sessions' visits must equal the number of the counter's handler runs. */
export function compareSums(answers: readonly string[], expected: number): Findings {
  const visits = answers.reduce((sum, answer) => sum + toVisits(answer), 0);
  return {
    faults:
      visits === expected
        ? []
        : [`The handler ran ${expected} times, and the counters add up to ${visits}.`],
    lost: (expected - visits) / expected,
  };
}

/** Every handler run must have caused exactly one such event. */
export function checkEvent({ handled, events }: Happened, event: string): Findings {
  const count = events[event] ?? 0;
  return {
    faults:
      count === handled
        ? []
        : [`The handler ran ${handled} times, and ${count} sessions were ${event}.`],
    lost: 0,
  };
}

function toVisits(answer: string): number {
  return Number(/^You have visited (\d+) times\.$/.exec(answer)?.[1]);
}
