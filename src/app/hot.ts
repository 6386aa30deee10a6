// `bun --hot` evaluates every module again, this one too. What has to survive is kept on
// `globalThis`.
const BACKENDS = Symbol.for("bunpie.hot-backends");

interface Shared {
  [BACKENDS]?: Map<string, unknown>;
}

/** How many apps of each class name this evaluation of the program has created. */
const counts = new Map<string, number>();

/**
 * Keeps sessions in memory through a reload of `bun --hot`: the first app of a class gets the
 * backend that the first app of that class name had before, the second app that of the second. In
 * any other process, returns the given backend.
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
