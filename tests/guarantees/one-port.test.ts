import { describe, expect } from "bun:test";

import { TestClient } from "../../src/testing/client.ts";
import { Child } from "../support/processes/child.ts";
import { PLACES } from "../support/stores/places.ts";
import { guarantee } from "./figure.ts";

const USERS = 100;

/** How often a cookie is presented again after its logout, so that both processes see it. */
const REPLAYS = 4;

/** What either process answers: which of them it was, and what it says. */
interface Answer {
  readonly by: number;
  readonly value: unknown;
}

/** A browser that makes a new connection for every request, so that the kernel picks the process. */
class Wanderer {
  readonly client: TestClient;
  readonly #servedBy: Map<number, number>;

  constructor(port: number, servedBy: Map<number, number>) {
    this.#servedBy = servedBy;
    this.client = new TestClient({
      fetch: (request) => {
        const { pathname } = new URL(request.url);
        return fetch(`http://localhost:${port}${pathname}`, {
          headers: request.headers,
          keepalive: false,
        });
      },
    });
  }

  async ask(path: string): Promise<unknown> {
    const response = await this.client.send(path);
    expect(response.status).toBe(200);
    const { by, value } = (await response.json()) as Answer;
    this.#servedBy.set(by, (this.#servedBy.get(by) ?? 0) + 1);
    return value;
  }
}

describe("two processes that serve one port", () => {
  for (const [name, make] of PLACES) {
    guarantee(
      `${USERS} users who move between two servers over one ${name} store lose nothing, and a logout holds on both at once`,
      {
        id: "G6",
        on: name,
        gate: USERS * 3,
        full: USERS * 100,
        of: "visits of two requests at once",
      },
      async (trial) => {
        await using place = await make();
        await using one = new Child("serve-shared", name, place.target, "0");
        const port = (await one.next()) as number;
        await using two = new Child("serve-shared", name, place.target, String(port));
        expect(await two.next()).toBe(port);

        const servedBy = new Map<number, number>();
        const visits = trial.size / USERS;
        let wrong = 0;
        let alive = 0;
        const live = async (user: number): Promise<void> => {
          const wanderer = new Wanderer(port, servedBy);
          await wanderer.ask(`/login/user-${user}`);
          for (let visit = 0; visit < visits; visit++) {
            await Promise.all([wanderer.ask("/count"), wanderer.ask(`/set/key-${visit}`)]);
          }
          const data = await wanderer.ask("/data");
          const keys = Array.from({ length: visits }, (_, visit) => [`key-${visit}`, 1]);
          if (!Bun.deepEquals(data, { count: visits, ...Object.fromEntries(keys) })) wrong++;
          const replay = new Map(wanderer.client.cookies);
          await wanderer.ask("/logout");
          for (let again = 0; again < REPLAYS; again++) {
            for (const [key, value] of replay) wanderer.client.cookies.set(key, value);
            if ((await wanderer.ask("/who")) !== null) alive++;
          }
        };
        await Promise.all(Array.from({ length: USERS }, (_, user) => live(user)));

        trial.never("sessions with a lost change", wrong, USERS);
        trial.never("sessions alive after their logout", alive, USERS * REPLAYS);
        const shares = [...servedBy.values()];
        expect(shares).toHaveLength(2);
        const all = shares.reduce((sum, share) => sum + share, 0);
        expect(Math.min(...shares)).toBeGreaterThan(all / 10);
        trial.note(`${shares.join(" requests by one process and ")} by the other`);
        for (const child of [one, two]) child.send("stop");
        expect(await Promise.all([one.exited, two.exited])).toEqual([0, 0]);
      },
    );
  }
});
