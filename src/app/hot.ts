// `bun --hot` evaluates every module anew, this one too. What must outlive that is kept here.
const BACKENDS = Symbol.for("bunpie.hot-backends");

interface Shared {
  [BACKENDS]?: Map<string, unknown>;
}

/** How many apps of each name this evaluation of the program has made. */
const counts = new Map<string, number>();

/**
 * Under `bun --hot` sessions in memory outlive a reload: the first app of a class gets the backend of the first
 * app of that name before, the second that of the second. In any other process the backend is the app's own.
 */
export function keepThroughReload<Backend>(name: string, backend: Backend): Backend {
  if (!process.execArgv.includes("--hot")) return backend;
  const count = (counts.get(name) ?? 0) + 1;
  counts.set(name, count);
  const shared = globalThis as Shared;
  shared[BACKENDS] ??= new Map();
  const kept = shared[BACKENDS].get(`${name} ${count}`) ?? backend;
  shared[BACKENDS].set(`${name} ${count}`, kept);
  return kept as Backend;
}
