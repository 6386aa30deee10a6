import { afterEach, describe, expect, test } from "bun:test";

import { Sessions } from "../../src/http/sessions.ts";
import { becomesTrue } from "../../src/testing/until.ts";
import { Child } from "../support/processes/child.ts";
import { canStartPostgres, PostgresServer } from "../support/servers/postgres-server.ts";
import { PLACES } from "../support/stores/places.ts";
import type { Shared } from "../support/stores/shared-backends.ts";
import { sharedBackend } from "../support/stores/shared-backends.ts";
import { describeLong } from "../support/trials.ts";
import { Visitor } from "../support/visitor.ts";

/** In milliseconds; far more than it ever takes. */
const TIMEOUT = 60_000;

const opened: AsyncDisposable[] = [];
afterEach(async () => {
  for (const one of opened.splice(0).toReversed()) await one[Symbol.asyncDispose]();
});

function open<T extends AsyncDisposable>(one: T): T {
  opened.push(one);
  return one;
}

/** A process that serves sockets, and this one beside it, on one store. */
async function serve(kind: Shared, target: string) {
  const sessions = new Sessions({ backend: sharedBackend(kind, target), sweepInterval: 0 });
  opened.push({ [Symbol.asyncDispose]: () => sessions.close() });
  // Makes the table, where there is one.
  await new Visitor(sessions).visit((session) => (session["n"] = 1));
  const child = open(new Child("serve-sockets", kind, target));
  const port = Number(await child.next());

  /** A visitor who is signed in here, and has a socket open there. */
  const connect = async () => {
    const visitor = new Visitor(sessions);
    await visitor.visit((session) => session.login("Ann"));
    const handle = String(await visitor.ask(({ meta }) => meta.handle));
    const headers = { cookie: `session_id=${visitor.id}` };
    const socket = new WebSocket(`ws://127.0.0.1:${port}/`, { headers } as never);
    const isOpen = Promise.withResolvers<void>();
    const closed = Promise.withResolvers<readonly [code: number, reason: string]>();
    socket.addEventListener("message", () => isOpen.resolve());
    socket.addEventListener("close", ({ code, reason }) => closed.resolve([code, reason]));
    await isOpen.promise;
    return { visitor, handle, closed: closed.promise };
  };
  return { sessions, connect };
}

/** What ends a session, and what its socket is told then. */
const ENDS: readonly (readonly [
  name: string,
  reason: string,
  end: (sessions: Sessions, visitor: Visitor, handle: string) => Promise<unknown>,
])[] = [
  ["destroy()", "destroyed", (_, visitor) => visitor.visit((session) => session.destroy())],
  ["revoke()", "destroyed", (sessions, _, handle) => sessions.revoke(handle)],
  ["revokeAll()", "destroyed", (sessions) => sessions.revokeAll("Ann")],
  ["regenerate()", "superseded", (_, visitor) => visitor.visit((session) => session.regenerate())],
];

describe.each(PLACES)("a socket of another process, on %s", (kind, make) => {
  test(
    "X6: is closed when its session ends here, by a notice alone",
    async () => {
      const { target } = open(await make());
      const { sessions, connect } = await serve(kind, target);
      for (const [name, reason, end] of ENDS) {
        const { visitor, handle, closed } = await connect();
        await end(sessions, visitor, handle);
        expect([name, ...(await closed)]).toEqual([name, 4401, reason]);
      }
    },
    TIMEOUT,
  );
});

describeLong(canStartPostgres, "a listener whose connection was killed, on PostgreSQL", () => {
  test(
    "X6: learns of the ends that it has missed, and of those to come",
    async () => {
      const server = open(await PostgresServer.start());
      const { connect } = await serve("PostgreSQL", server.url);
      // A process that has heard of an end is listening. Killing its connection earlier would test something else.
      const first = await connect();
      await first.visitor.visit((session) => session.destroy());
      expect(await first.closed).toEqual([4401, "destroyed"]);
      const [one, other] = [await connect(), await connect()];
      const admin = new Bun.SQL(server.url, { max: 1 });
      opened.push({ [Symbol.asyncDispose]: () => admin.close() });
      const endListeners = async (): Promise<boolean> => {
        const ended = await admin`
          SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query ILIKE 'LISTEN%'`;
        return ended.length === 1;
      };
      expect(await becomesTrue(TIMEOUT, endListeners)).toBe(true);
      await one.visitor.visit((session) => session.destroy());
      expect(await one.closed).toEqual([4401, "destroyed"]);
      await other.visitor.visit((session) => session.destroy());
      expect(await other.closed).toEqual([4401, "destroyed"]);
    },
    TIMEOUT,
  );
});
