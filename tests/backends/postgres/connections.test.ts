import { describe, expect, test } from "bun:test";

import { Connections, createName } from "../../../src/backends/postgres/connections.ts";
import { postgres } from "../../support/servers/postgres.ts";
import { closeAfterEach } from "../opened.ts";

describe("createName()", () => {
  test.each([
    ["postgres://localhost/shop", /^bunpie [0-9a-f]{8}$/],
    ["postgres://localhost/shop?application_name=the%20shop", /^the shop [0-9a-f]{8}$/],
    ["postgres://localhost/shop?application_name=caf%C3%A9", /^caf\? [0-9a-f]{8}$/],
    [`postgres://localhost/shop?application_name=${"x".repeat(80)}`, /^x{54} [0-9a-f]{8}$/],
    ["no URL", /^bunpie [0-9a-f]{8}$/],
  ])("returns the name in the URL, and a suffix: %s", (url, name) => {
    expect(createName(url)).toMatch(name);
    expect(createName(url)).not.toBe(createName(url));
  });
});

describe.skipIf(!postgres.isThere)("connections", () => {
  const closing = closeAfterEach();

  /** Opens connections that the server knows by `name`, and that are said to be called `called`. */
  async function open(name: string, called = name): Promise<Connections> {
    const connection = { application_name: name };
    const client = closing(new Bun.SQL(postgres.url, { max: 1, connection }));
    await client`SELECT 1`;
    return new Connections(client, called);
  }

  const openNamed = (): Promise<Connections> => open(createName(postgres.url));

  test("are gone once the server has none of them", async () => {
    const [former, successors] = [await openNamed(), await openNamed()];
    expect(await former.areGone(successors)).toBe(false);
    await former.client.close();
    while (!(await former.areGone(successors)));
  });

  test("are not known to be gone if the server sees other names", async () => {
    const former = await open("changed on the way", createName(postgres.url));
    const successors = await open("changed on the way", createName(postgres.url));
    expect(await former.areGone(successors)).toBe(false);
  });

  test("are not known to be gone if the server cannot be asked", async () => {
    const [former, successors] = [await openNamed(), await openNamed()];
    await former.client.close();
    await successors.client.close();
    expect(await former.areGone(successors)).toBe(false);
  });

  test("are asked about once for all concurrent callers", async () => {
    const [former, successors] = [await openNamed(), await openNamed()];
    const asked = former.areGone(successors);
    expect(former.areGone(successors)).toBe(asked);
    await asked;
  });

  test("cannot be found without a name", async () => {
    const { client } = await open("nameless");
    expect(new Connections(client).areGone(new Connections(client))).toBeUndefined();
  });

  test("are idle and ended only where the server does nothing on them", async () => {
    const some = await openNamed();
    const asker = await openNamed();
    const working = some.client`SELECT pg_sleep(60)`.then(String, String);
    while (await some.areIdle(asker)) await Bun.sleep(1);
    expect(await some.endIdle(asker)).toBe(false);
    await asker.client`
      SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE query = 'SELECT pg_sleep(60)'`;
    expect(await working).toContain("canceling statement due to user request");
    while (!(await some.areIdle(asker))) await Bun.sleep(1);
    expect(await some.endIdle(asker)).toBe(true);
    while (!(await some.areGone(asker)));
  });

  test("are not known to be idle if the server sees other names", async () => {
    const some = await openNamed();
    const asker = await open("changed on the way", createName(postgres.url));
    expect(await some.areIdle(asker)).toBe(false);
    expect(await some.endIdle(asker)).toBe(false);
  });
});
