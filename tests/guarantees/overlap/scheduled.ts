import type { SessionBackend } from "../../../src/store/backend.ts";

/** Settles when it is the turn of whoever asks. Somebody else decides on the order. */
export type Turn = (what: string) => Promise<unknown>;

/**
 * Puts a backend at a distance: each call takes its time to get there, and its answer to come back. In
 * which order the calls of several requests arrive and are answered is for `turn` to say.
 */
export function scheduled<Backend extends SessionBackend>(backend: Backend, turn: Turn): Backend {
  return new Proxy(backend, {
    get(target, name) {
      if (name === "isSynchronous") return false;
      // Of the backend itself: a proxy has none of its private fields.
      const value: unknown = Reflect.get(target, name, target);
      if (typeof value !== "function") return value;
      return async (...args: unknown[]): Promise<unknown> => {
        await turn(`${String(name)} arrives`);
        const answer: unknown = await value.apply(target, args);
        await turn(`${String(name)} is answered`);
        return answer;
      };
    },
  });
}
