import type { SessionBackend } from "../../../src/store/backend.ts";
import type { MaybePromise } from "../../../src/store/maybe-promise.ts";
import { andThen } from "../../../src/store/maybe-promise.ts";

/** What a backend was asked: a method, and what for. */
type Call = readonly [method: string, ...args: unknown[]];

/** A backend of any kind, under watch. */
export interface Watched<Backend> {
  /** To be used in place of the backend itself. */
  readonly backend: Backend;
  /** What it was asked, in order. */
  readonly calls: Call[];
  /** Runs before each call, which waits for it, or fails with what it throws. */
  before: (method: string) => MaybePromise<unknown>;
  /** Waits until it has answered everything, and nobody has asked for more in the turn after. */
  readonly idle: () => Promise<void>;
}

/** Whether a method of a backend only looks. */
export function isLook(method: string): boolean {
  return method === "read" || method === "load";
}

/** Puts a backend under watch. */
export function watch<Backend extends SessionBackend>(inner: Backend): Watched<Backend> {
  const underWay = new Set<unknown>();
  const watched: Watched<Backend> = {
    calls: [],
    before: () => undefined,
    idle: async () => {
      do {
        await Promise.allSettled(underWay);
        await new Promise((resolve) => setImmediate(resolve));
      } while (underWay.size > 0);
    },
    backend: new Proxy(inner, {
      get(target, name) {
        // Whatever it is: `before` may take its time.
        if (name === "isSynchronous") return false;
        // Of the backend itself: a proxy has none of its private fields.
        const value: unknown = Reflect.get(target, name, target);
        if (typeof value !== "function") return value;
        return (...args: unknown[]): unknown => {
          watched.calls.push([String(name), ...args]);
          const answer = andThen(
            watched.before(String(name)),
            () => value.apply(target, args) as unknown,
          );
          if (answer instanceof Promise) {
            const end = (): boolean => underWay.delete(answer);
            underWay.add(answer);
            answer.then(end, end);
          }
          return answer;
        };
      },
    }),
  };
  return watched;
}
