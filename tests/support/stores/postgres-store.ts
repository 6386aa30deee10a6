import { afterAll } from "bun:test";

import { PostgresSessionBackend } from "../../../src/backends/postgres/backend.ts";
import { SessionStore } from "../../../src/store/session-store.ts";
import { PATIENT, postgres, Schema } from "../servers/postgres.ts";

type Method = (...args: unknown[]) => unknown;

/** Schemas that no store uses at the moment. Their tables are there, and empty: making one takes long. */
const unused: Schema[] = [];
/** Whether they are kept: until the end of the first test file that has this module, where a process runs several. */
let isKeeping = true;
afterAll(() => {
  isKeeping = false;
  return Promise.all(unused.splice(0).map((schema) => schema.drop()));
});

/** The PostgreSQL backend in a schema of its own, which the next may have once the store is closed. */
function createStore(now: () => number): SessionStore {
  const made = Promise.resolve(unused.pop() ?? Schema.create()).then((schema) => ({
    schema,
    backend: new PostgresSessionBackend(`${schema.url}&synchronous_commit=off`, {
      ...PATIENT,
      now,
    }),
  }));
  let closed: Promise<void> | undefined;
  const close = async (): Promise<void> => {
    const { schema, backend } = await made;
    await backend.close();
    // A store that was never asked for anything has made no table.
    const isReusable = await schema.clear().then(
      () => isKeeping,
      () => false,
    );
    if (isReusable) unused.push(schema);
    else await schema.drop();
  };
  // Stands for the backend while its schema is being made: every method waits for that.
  return new Proxy(Object.create(PostgresSessionBackend.prototype) as SessionStore, {
    get(target, name) {
      if (name === "isSynchronous") return false;
      if (name === "close") return () => (closed ??= close());
      if (typeof Reflect.get(PostgresSessionBackend.prototype, name) !== "function") {
        return Reflect.get(target, name);
      }
      return async (...args: unknown[]): Promise<unknown> => {
        const { backend } = await made;
        return (Reflect.get(backend, name) as Method).apply(backend, args);
      };
    },
  });
}

/** For `describe.each`, beside the stores that need no server. Each has to be closed. */
export const POSTGRES_STORES = postgres.isThere
  ? ([["PostgresSessionBackend", createStore]] as const)
  : [];
