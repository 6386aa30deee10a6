/**
 * Whether this process runs in development: `NODE_ENV` is not `production`. Destructured, because
 * `bun build` replaces the expression `process.env.NODE_ENV` with its own value, and a bundle would
 * show visitors its source.
 */
export function isDevelopment(): boolean {
  const { NODE_ENV } = process.env;
  return NODE_ENV !== "production";
}

/** Whether to log requests on the console: in development, but not in tests. */
export function isWatched(): boolean {
  const { NODE_ENV } = process.env;
  return isDevelopment() && NODE_ENV !== "test";
}
