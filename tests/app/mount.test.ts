import { describe, expect, test } from "bun:test";
import { mkdirSync, writeFileSync } from "node:fs";

import { App, files, HttpError, InMemorySessionBackend, routes } from "bunpie";

import { TestClient } from "../../src/testing/client.ts";
import { Folder } from "../support/folder.ts";
import { quiet } from "../support/quiet.ts";

interface Data {
  user: string;
}

class Todos extends App<Data> {
  index() {
    return `todos of ${this.request.session.user ?? "nobody"}`;
  }

  items = routes({
    "/:id": (id): unknown => ({ id, link: this.link(this.items, "/:id", id) }),
  });

  bug() {
    throw new Error("a bug");
  }

  where() {
    return [this.request.page, ...this.request.params];
  }
}

class Api extends App<Data> {
  constructor() {
    super();
    this.mount("/todos", new Todos());
    this.use((request, next) => {
      log.push(`api ${request.page}`);
      return next();
    });
  }

  override onError(error: HttpError) {
    return { problem: error.message };
  }

  me() {
    return this.sessions.stats().created;
  }
}

class Site extends App<Data> {
  readonly api = new Api();

  constructor() {
    super();
    this.use((request, next) => {
      log.push(`site ${request.page}`);
      return next();
    });
    this.mount("/api/v1", this.api);
  }

  index() {
    this.request.session.user = "Ann";
    return this.link(this.api.me);
  }
}

let log: string[] = [];

describe("mount", () => {
  test.each([App, undefined, { fetch: () => new Response() }])(
    "accepts an app and nothing else: %#",
    (child) => {
      expect(() => new App().mount("/api", child as never)).toThrow(
        new TypeError('this.mount() takes an app of Bunpie: this.mount("/api", new Api()).'),
      );
    },
  );

  test("serves an app's pages below a path, with the same session", async () => {
    const client = new TestClient(new Site());
    expect(await client.text("/api/v1/todos")).toBe("todos of nobody");
    expect(await client.text("/")).toBe("/api/v1/me");
    expect(await client.text("/api/v1/todos")).toBe("todos of Ann");
    expect(await client.text("/api/v1/me")).toBe("1");
  });

  test("runs the outer middleware before the inner, at any depth", async () => {
    log = [];
    const client = new TestClient(new Site());
    await client.send("/api/v1/todos/items/3");
    expect(log).toEqual(["site /api/v1/todos/items/:id", "api /api/v1/todos/items/:id"]);
    log = [];
    await client.send("/");
    expect(log).toEqual(["site /"]);
  });

  test("makes links include the path where their app is mounted", async () => {
    const client = new TestClient(new Site());
    expect(await client.json("/api/v1/todos/items/a%20b")).toEqual({
      id: "a b",
      link: "/api/v1/todos/items/a%20b",
    });
    expect(await new TestClient(new Todos()).json("/items/3")).toEqual({
      id: "3",
      link: "/items/3",
    });
  });

  test("lets the nearest app with an onError show errors", async () => {
    using error = quiet("error");
    const client = new TestClient(new Site());
    expect(await client.json("/api/v1/todos/bug")).toEqual({
      problem: "Something went wrong on this server.",
    });
    expect(error).toHaveBeenCalledTimes(1);
    expect(await client.json("/api/v1/nothing")).toEqual({ problem: "Not Found" });
    expect(await client.text("/nothing")).toBe("Not Found");
  });

  test("leaves what a public folder around an app does not have to that app", async () => {
    using folder = new Folder();
    mkdirSync(folder.file("api/v1"), { recursive: true });
    writeFileSync(folder.file("api/v1/logo.svg"), "<svg/>");
    class Around extends App<Data> {
      assets = files(folder.path);
      index = files(folder.path);

      constructor() {
        super();
        this.mount("/api/v1", new Api());
      }
    }
    const client = new TestClient(new Around());
    log = [];
    for (const path of ["/api/v1/none", "/api/v1/todos/items", "/api/v1"]) {
      for (const method of ["GET", "POST", "PUT", "OPTIONS"]) {
        const response = await client.send(path, { method });
        expect([response.status, response.headers.get("allow")]).toEqual([404, null]);
        expect(await response.json()).toEqual({ problem: "Not Found" });
      }
      expect((await client.send(path, { method: "HEAD" })).status).toBe(404);
    }
    expect(new Set(log)).toEqual(new Set(["api null"]));
    expect(await client.text("/api/v1/logo.svg")).toBe("<svg/>");
    expect(await client.text("/api/none")).toBe("Not Found");
    for (const path of ["/api", "/assets/api/v1/logo.svg"]) {
      const response = await client.send(path, { method: "POST" });
      expect([response.status, response.headers.get("allow")]).toEqual([405, "GET, HEAD, OPTIONS"]);
    }
  });

  test("passes pages the whole pattern", async () => {
    expect(await new TestClient(new Site()).json("/api/v1/todos/where")).toEqual([
      "/api/v1/todos/where",
    ]);
  });

  test.each(["api", "/", "/a/:id", "/a/*", ""])("refuses the path %j", (path) => {
    expect(() => new App().mount(path, new App())).toThrow(TypeError);
  });

  test("refuses an app with options of its own, and says where to set them", () => {
    const child = new App({ sessionBackend: new InMemorySessionBackend() });
    expect(() => new App().mount("/api", child)).toThrow(
      new TypeError(
        'The app for "/api" was made with `sessionBackend`. A mounted app uses the options of the outermost app: set it there.',
      ),
    );
  });

  test("refuses an app that is already in use", async () => {
    const child = new App();
    new App().mount("/a", child);
    const served = new Todos();
    await new TestClient(served).send("/");
    for (const used of [child, served as App]) {
      expect(() => new App().mount("/b", used)).toThrow(
        new TypeError('The app for "/b" is in use already. Make another: new …().'),
      );
    }
  });

  test("refuses an app inside itself, at any depth", () => {
    const [outer, middle, inner] = [new App(), new App(), new App()];
    outer.mount("/a", middle);
    middle.mount("/b", inner);
    for (const app of [outer, inner]) {
      expect(() => app.mount("/c", outer)).toThrow(
        new TypeError('The app for "/c" would be mounted inside itself. Make another: new …().'),
      );
    }
    expect(outer.fetch).toBeFunction();
  });

  test("refuses two pages for one path, whichever app they belong to", () => {
    class Outer extends App {
      api() {
        return "";
      }
    }
    const outer = new Outer();
    outer.mount("/api", new Todos());
    expect(() => outer.fetch).toThrow("Two pages answer the same paths");
  });
});
