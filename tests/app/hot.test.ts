import { afterEach, beforeEach, describe, expect, test } from "bun:test";

import { InMemorySessionBackend } from "bunpie";

import { keepThroughReload } from "../../src/app/hot.ts";

/** The module, evaluated anew, as at a reload. */
async function reload(): Promise<typeof keepThroughReload> {
  const path = `../../src/app/hot.ts?${Bun.randomUUIDv7()}`;
  const module = (await import(path)) as { keepThroughReload: typeof keepThroughReload };
  return module.keepThroughReload;
}

/** Names that no other test has used: what is kept is kept for the whole process. */
function uniqueName(): string {
  return `App${Bun.randomUUIDv7()}`;
}

describe("keepThroughReload", () => {
  describe("under bun --hot", () => {
    beforeEach(() => process.execArgv.push("--hot"));
    afterEach(() => void process.execArgv.pop());

    test("passes the sessions of the app before a reload to the one after it", async () => {
      const name = uniqueName();
      const backend = new InMemorySessionBackend();
      expect((await reload())(name, backend)).toBe(backend);
      expect((await reload())(name, new InMemorySessionBackend())).toBe(backend);
      expect((await reload())(name, new InMemorySessionBackend())).toBe(backend);
    });

    test("keeps apps separate, even those of one class", async () => {
      const [shop, admin] = [uniqueName(), uniqueName()];
      const evaluate = async (): Promise<unknown[]> => {
        const keep = await reload();
        return [shop, admin, shop].map((name) => keep(name, new InMemorySessionBackend()));
      };
      const before = await evaluate();
      expect(new Set(before).size).toBe(3);
      const after = await evaluate();
      expect(after.map((backend) => before.indexOf(backend))).toEqual([0, 1, 2]);
    });
  });

  test("does nothing in any other process", async () => {
    const name = uniqueName();
    const [first, second] = [new InMemorySessionBackend(), new InMemorySessionBackend()];
    expect((await reload())(name, first)).toBe(first);
    expect((await reload())(name, second)).toBe(second);
  });
});
