import { afterEach, beforeEach, describe, expect, test } from "bun:test";

import { App } from "../../src/app/app.ts";
import { SqliteSessionBackend } from "../../src/backends/sqlite.ts";
import { Child } from "../support/child.ts";
import { Client } from "../support/client.ts";
import { Folder } from "../support/folder.ts";

let folder: Folder;
let path: string;

beforeEach(() => {
  folder = new Folder();
  path = folder.file("sessions.db");
});
afterEach(() => folder.remove());

describe("two processes that write one session at the same time", () => {
  class Site extends App<Record<string, number>> {
    index(): object {
      const { session } = this.request;
      session["begun"] ??= 1;
      return { ...session };
    }
  }

  test("lose no update, and no key that only one of them sets", async () => {
    const app = new Site({ sessionBackend: new SqliteSessionBackend(path) });
    const client = new Client(app);
    await client.send("/");
    const cookie = `session_id=${client.id}`;
    await using one = new Child("write-session", path, cookie, "one", "500");
    await using two = new Child("write-session", path, cookie, "two", "500");
    for (const child of [one, two]) expect(await child.next()).toBe("ready");
    for (const child of [one, two]) child.send("go");
    for (const child of [one, two]) expect(await child.next()).toEqual([]);
    expect(await (await client.send("/")).json()).toEqual({
      begun: 1,
      count: 1000,
      one: 20,
      two: 20,
    });
    await app.sessions.close();
  }, 20_000);
});
