import { afterAll, describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { TestClient } from "../../src/testing/client.ts";
import { AppProcess } from "../support/processes/app-process.ts";

const EXAMPLES = join(import.meta.dir, "../../examples");
const folder = mkdtempSync(join(tmpdir(), "examples-"));
afterAll(() => rmSync(folder, { recursive: true }));

const start = (name: string): Promise<AppProcess> =>
  AppProcess.start([join(EXAMPLES, name)], { cwd: folder, env: { PORT: "0" } });

/** A client of another app, or of the same one after a restart, with the same session. */
function returning(client: TestClient, app: AppProcess): TestClient {
  const copy = new TestClient(app);
  copy.cookies.set("session_id", client.sessionId ?? "");
  return copy;
}

const NAMES = ["plain-server.ts", "own-backend.ts", "elysia.ts", "hono.ts"];

describe.each(NAMES)("examples/%s", (name) => {
  test("counts visits, and goes on after a restart", async () => {
    await using before = await start(name);
    const client = new TestClient(before);
    await client.send("/");
    expect(await client.text("/")).toBe("You have visited 2 times.");
    expect(await before.stop()).toBe(0);

    await using after = await start(name);
    expect(await returning(client, after).text("/")).toBe("You have visited 3 times.");
  });
});

describe("examples/plain-server.ts", () => {
  test("gives a handler the route's parameters beside the session", async () => {
    await using server = await start("plain-server.ts");
    const client = new TestClient(server);
    await client.send("/");
    expect(await (await client.send("/greet/Ann")).json()).toEqual({ hello: "Ann", visits: 1 });
    expect(await client.text("/health")).toBe("fine");
  });
});

describe("examples/own-backend.ts", () => {
  test("forgets who logs out, after a restart too", async () => {
    await using before = await start("own-backend.ts");
    const client = new TestClient(before);
    await client.send("/");
    const copy = client.clone();
    await client.post("/logout");
    await before.stop();

    await using after = await start("own-backend.ts");
    expect(await returning(copy, after).text("/")).toBe("You have visited 1 times.");
  });
});

describe("examples/elysia.ts", () => {
  test("keeps a cart over a redirect, and refuses what is no item", async () => {
    await using server = await start("elysia.ts");
    const client = new TestClient(server);
    const added = await client.post("/cart", { item: "tea" });
    expect([added.status, added.headers.get("location")]).toEqual([303, "/cart"]);
    expect((await client.post("/cart", { item: "" })).status).toBe(422);
    expect(await (await client.send("/cart")).json()).toEqual(["tea"]);
    expect(await client.text("/health")).toBe("fine");
  });
});

describe("examples/hono.ts", () => {
  test("notes in the session how far a stream has come", async () => {
    await using server = await start("hono.ts");
    const client = new TestClient(server);
    await client.send("/");
    expect(await client.text("/import")).toBe("data: 50 %\n\ndata: 100 %\n\n");
    expect(await (await client.send("/progress")).json()).toBe(100);
    expect(await client.text("/health")).toBe("fine");
  });
});
