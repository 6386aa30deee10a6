import { afterEach } from "bun:test";

interface Closable {
  close(): unknown;
}

/** Closes after each test what the test has opened and given to this, and then does `next`. */
export function closeAfterEach(
  next?: () => unknown,
): <Opened extends Closable>(one: Opened) => Opened {
  const opened: Closable[] = [];
  afterEach(async () => {
    await Promise.all(opened.splice(0).map((one) => one.close()));
    await next?.();
  });
  return (one) => {
    opened.push(one);
    return one;
  };
}
