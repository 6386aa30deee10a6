// Writes one session many times, 20 requests at once: counts up, and sets keys of its own.
import { SqliteSessionBackend } from "../../../src/backends/sqlite.ts";
import { Sessions } from "../../../src/session/manager.ts";

const [, , path = "", cookie = "", own = "", times = ""] = process.argv;
const sessions = new Sessions<Record<string, number>>({
  backend: new SqliteSessionBackend(path),
  storeTimeout: 10_000,
});
const request = (): Request => new Request("http://localhost/", { headers: { cookie } });

const count = sessions.wrap(async (_, session) => {
  await session.update((stored) => {
    stored["count"] = (stored["count"] ?? 0) + 1;
  });
  return new Response();
});
const setKey = sessions.wrap((_, session) => {
  session[own] = (session[own] ?? 0) + 1;
  return new Response();
});

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
