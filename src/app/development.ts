/**
 * Whether developers look at this process: `NODE_ENV` is not `production`. Taken apart, because `bun build` puts
 * its own `NODE_ENV` in the place of `process.env.NODE_ENV`, and a bundle would show visitors its source.
 */
export function isDevelopment(): boolean {
  const { NODE_ENV } = process.env;
  return NODE_ENV !== "production";
}

/** The same where nobody tests: a test that serves an app has its own output. */
export function isWatched(): boolean {
  const { NODE_ENV } = process.env;
  return isDevelopment() && NODE_ENV !== "test";
}
