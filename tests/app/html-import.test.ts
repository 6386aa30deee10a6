import { describe, expect, test } from "bun:test";
import { join } from "node:path";

import { App, routes } from "bunpie";

import { TestClient } from "../../src/testing/client.ts";
import page from "../fixtures/html/page.html";
import { Site } from "../fixtures/html/site.ts";
import { Folder } from "../support/folder.ts";
import { ServedApp } from "../support/processes/served-app.ts";
import { quiet } from "../support/quiet.ts";

const FIXTURES = join(import.meta.dir, "../fixtures/html");

/** What an app with HTML imports has to show, in whatever way it is served. */
async function expectPages(client: TestClient): Promise<void> {
  for (const path of ["/home", "/deep/page", "/inner"]) {
    const response = await client.send(path);
    expect(response.headers.get("content-type")).toBe("text/html;charset=utf-8");
    const text = await response.text();
    expect(text).toContain("<title>An HTML import</title>");
    const [, script = ""] = /src="([^"]+)"/.exec(text) ?? [];
    expect(await client.text(new URL(script, "http://any").pathname)).toContain("a bundled script");
  }
  expect(await client.text("/")).toBe("Go to /home");
}

describe("an HTML import as a page", () => {
  test.each(["listening.ts", "default-export.ts"])("is bundled by Bun: %s", async (file) => {
    await using child = new ServedApp(join(FIXTURES, file), { env: { PORT: "0" } });
    await expectPages(new TestClient(await child.url()));
    expect(child.output).toMatch(/ \/home +GET/);
  });

  test("is bundled ahead of time as well", async () => {
    using folder = new Folder();
    const script = join(FIXTURES, "default-export.ts");
    const args = ["build", "--target=bun", `--outdir=${folder.path}`, script];
    expect(Bun.spawnSync([process.execPath, ...args]).exitCode).toBe(0);
    await using child = new ServedApp(folder.file("default-export.js"), {
      env: { PORT: "0" },
      flags: [`--cwd=${folder.path}`],
    });
    await expectPages(new TestClient(await child.url()));
  });

  test("is bundled if an app's routes are passed on", async () => {
    const app = new Site();
    await using server = Bun.serve({ port: 0, fetch: app.fetch, routes: app.routes });
    await expectPages(new TestClient(server.url));
  });

  test("is an error that says how to serve it if fetch is called for it", async () => {
    using report = quiet("error");
    expect((await new TestClient(new Site()).send("/home")).status).toBe(500);
    expect(String(report.mock.calls[0]?.[2])).toContain("routes: app.routes");
  });

  test.each(["/:id", "/*"])("is refused if it would hide other pages: %s", (pattern) => {
    class Wrong extends App {
      index = routes({ [pattern as "/a"]: page });
    }
    expect(() => new Wrong().fetch).toThrow('without ":name"');
  });

  test("adds no routes of Bun's to an app without one", () => {
    expect(new App().routes).toEqual({});
  });
});
