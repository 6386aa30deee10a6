import { describe, expect } from "bun:test";

import { Sessions } from "../../src/http/sessions.ts";
import { createId, hashId } from "../../src/session/id.ts";
import type { SessionBackend } from "../../src/store/backend.ts";
import { SESSION_TIMEOUT } from "../../src/store/backend.ts";
import { Child } from "../support/processes/child.ts";
import { BACKENDS } from "../support/stores/backends.ts";
import type { SessionLayer } from "../support/stores/naive-sessions.ts";
import { NaiveSessions } from "../support/stores/naive-sessions.ts";
import { PLACES } from "../support/stores/places.ts";
import { POSTGRES_STORES } from "../support/stores/postgres-store.ts";
import type { Shared } from "../support/stores/shared-backends.ts";
import { sharedBackend } from "../support/stores/shared-backends.ts";
import type { Trial } from "./figure.ts";
import { guarantee, number } from "./figure.ts";

const PROCESSES = 4;
const KEYS_OF_ITS_OWN = 20;

/** What does less than a `SessionStore` asks for. */
const NAMES = {
  "load and save": "a backend of two methods, safe in one process only,",
  naive: "a naive layer",
};

/** A session that is there already, and the requests of whoever holds its cookie. */
async function beginSession(backend: SessionBackend) {
  const id = createId();
  const cookie = `session_id=${id}`;
  await backend.save(hashId(id), { begun: 1 }, SESSION_TIMEOUT);
  const request = (): Request => new Request("http://localhost/", { headers: { cookie } });
  const stored = async () => {
    const { $: _facts, ...data } = (await backend.load(hashId(id))) ?? {};
    return data;
  };
  return { cookie, request, stored };
}

/** Every race is run by ours and by the naive layer, over a backend each of the same kind. */
function layersOn(create: (now: () => number) => SessionBackend) {
  const [ours, theirs] = [create(Date.now), create(Date.now)];
  return [
    {
      name: "ours",
      backend: ours,
      layer: new Sessions({ backend: ours, sweepInterval: 0, storeTimeout: 60_000 }),
    },
    { name: "naive", backend: theirs, layer: new NaiveSessions({ backend: theirs }) },
  ] as const;
}

/** What was lost of so many updates of one counter that all begin at once. */
async function raceCounter(layer: SessionLayer, backend: SessionBackend, times: number) {
  const { request, stored } = await beginSession(backend);
  const count = layer.wrap(async (_, session) => {
    await session.update((data) => {
      data["count"] = Number(data["count"] ?? 0) + 1;
    });
    return new Response();
  });
  const responses = await Promise.all(Array.from({ length: times }, () => count(request())));
  expect(responses.every(({ status }) => status === 200)).toBe(true);
  return times - Number((await stored())["count"]);
}

/** How many of so many pairs of requests, each of which sets a key of its own, lost a key. */
async function raceKeys(layer: SessionLayer, backend: SessionBackend, trial: Trial) {
  const { request, stored } = await beginSession(backend);
  let lost = 0;
  for (let round = 1; round <= trial.size; round++) {
    const set = (key: string, delay: number) =>
      layer.wrap(async (_, session) => {
        for (let turn = 0; turn < delay; turn++) await Promise.resolve();
        session[key] = round;
        return new Response();
      })(request());
    await Promise.all([set("one", trial.random(4)), set("two", trial.random(4))]);
    const { one, two } = await stored();
    if (one !== round || two !== round) lost++;
    if (round % 1_000 === 0) trial.progress(round);
  }
  return lost;
}

describe.each([...BACKENDS, ...POSTGRES_STORES])(
  "requests of one process, on %s",
  (backendName, create) => {
    guarantee(
      `updates of one counter that all begin at once all count: ${backendName}`,
      { id: "G6", quick: 100, on: backendName, gate: 300, full: 1_000, of: "updates" },
      async (trial) => {
        const [ours, naive] = layersOn(create);
        trial.never("updates lost", await raceCounter(ours.layer, ours.backend, trial.size));
        const lost = await raceCounter(naive.layer, naive.backend, trial.size);
        expect(lost, "what a naive layer loses").toBeGreaterThan(0);
        trial.note(`a naive layer lost ${number(lost)}`);
        for (const { layer } of [ours, naive]) await layer.close();
      },
    );

    guarantee(
      `two concurrent requests that set two keys lose neither: ${backendName}`,
      { id: "G6", quick: 100, on: backendName, gate: 300, full: 10_000, of: "pairs of requests" },
      async (trial) => {
        const [ours, naive] = layersOn(create);
        trial.never("keys lost", await raceKeys(ours.layer, ours.backend, trial));
        expect(ours.layer.stats().merged, "pairs that met").toBeGreaterThan(0);
        const lost = await raceKeys(naive.layer, naive.backend, trial);
        expect(lost, "what a naive layer loses").toBeGreaterThan(0);
        trial.note(`a naive layer lost a key in ${number(lost)} of them`);
        for (const { layer } of [ours, naive]) await layer.close();
      },
    );
  },
);

/** What four processes made of one session in one store. */
async function raceProcesses(
  kind: Shared,
  target: string,
  layer: "atomic" | "load and save" | "naive",
  times: number,
) {
  const backend = sharedBackend(kind, target);
  const { cookie, stored } = await beginSession(backend);
  await using children = new AsyncDisposableStack();
  const writers = Array.from({ length: PROCESSES }, (_, index) =>
    children.use(
      new Child("write-session", kind, target, layer, cookie, `own${index}`, String(times)),
    ),
  );
  for (const writer of writers) expect(await writer.next()).toBe("ready");
  for (const writer of writers) writer.send("go");
  for (const writer of writers) expect(await writer.next(), "requests that failed").toEqual([]);
  const { count, begun, ...owned } = await stored();
  await backend.close();
  expect(begun).toBe(1);
  const kept = Object.values(owned).reduce<number>((sum, value) => sum + Number(value), 0);
  return {
    updates: PROCESSES * times - Number(count),
    keys: PROCESSES * KEYS_OF_ITS_OWN - kept,
  };
}

describe.each(PLACES)("requests of four processes, on one store of %s", (kind, make) => {
  guarantee(
    `updates of one counter by four processes at once all count, and each keeps its own key: ${kind}`,
    { id: "G6", on: kind, gate: 1_000, full: 10_000, of: "updates" },
    async (trial) => {
      await using place = await make();
      const times = trial.size / PROCESSES;
      const lost = await raceProcesses(kind, place.target, "atomic", times);
      trial.never("updates lost", lost.updates);
      trial.never("writes of own keys lost", lost.keys, PROCESSES * KEYS_OF_ITS_OWN);
      // Each of the two has to lose some, or the processes have not met.
      for (const layer of ["load and save", "naive"] as const) {
        const { updates } = await raceProcesses(kind, place.target, layer, times);
        expect(updates, `what ${layer} loses`).toBeGreaterThan(0);
        trial.note(`${NAMES[layer]} lost ${number(updates)}`);
      }
    },
  );
});
