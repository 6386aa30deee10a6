// Writes one session many times, 20 requests at once: counts up, and sets a key of its own.
import { Sessions } from "../../../../src/http/sessions.ts";
import type { SessionLayer } from "../../stores/naive-sessions.ts";
import { NaiveSessions } from "../../stores/naive-sessions.ts";
import { sharedBackend } from "../../stores/shared-backends.ts";

const [, , kind = "", target = "", layer = "atomic", cookie = "", own = "", times = ""] =
  process.argv;
const backend = sharedBackend(kind, target);
const sessions = layerNamed(layer);
const request = (): Request => new Request("http://localhost/", { headers: { cookie } });

const count = sessions.wrap(async (_, session) => {
  await session.update((stored) => {
    stored["count"] = Number(stored["count"] ?? 0) + 1;
  });
  return new Response();
});
const setKey = sessions.wrap(async (_, session) => {
  session[own] = Number(session[own] ?? 0) + 1;
  return new Response();
});

/** How the writing is done: by whole steps, by `load` and `save` in turns, or by both without turns. */
function layerNamed(name: string): SessionLayer {
  const storeTimeout = 30_000;
  switch (name) {
    case "atomic":
      return new Sessions({ backend, storeTimeout });
    case "load and save": {
      const pair = { load: backend.load.bind(backend), save: backend.save.bind(backend) };
      return new Sessions({ backend: pair, storeTimeout });
    }
    default:
      return new NaiveSessions({ backend });
  }
}

process.once("message", async () => {
  let left = Number(times);
  const failures: number[] = [];
  const work = async (): Promise<void> => {
    while (left-- > 0) {
      const { status } = await count(request());
      if (status !== 200) failures.push(status);
    }
  };
  await Promise.all(Array.from({ length: 20 }, work));
  for (let index = 0; index < 20; index++) await setKey(request());
  await sessions.close();
  process.send?.(failures);
  process.disconnect?.();
});
process.send?.("ready");
