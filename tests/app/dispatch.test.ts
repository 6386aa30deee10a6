import { describe, expect, test } from "bun:test";

import { App } from "bunpie";

import { DispatchTable, READ_BY_BUN } from "../../src/app/dispatch.ts";
import { TestClient } from "../../src/testing/client.ts";
import { quiet } from "../support/quiet.ts";
import { exchange, head } from "../support/raw.ts";

const VERBS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"] as const;

class Base extends App {
  inherited() {
    return "inherited";
  }

  overridden() {
    return "base";
  }
}

class Site extends Base {
  greeting = "Hello";
  cart = {
    GET: () => "your cart",
    POST: () => "added",
  };
  item = {
    GET: (id: string) => `item ${id}`,
    DELETE(this: Site, id: string, reason: string) {
      return `${this.greeting}, ${id} is gone: ${reason}`;
    },
  };
  own = {
    HEAD: () => new Response(null, { headers: { "x-from": "HEAD" } }),
    GET: () => "GET",
    OPTIONS: () => "OPTIONS",
  };

  index() {
    return "front page";
  }

  greet(name: string) {
    return `${this.greeting}, ${name}!`;
  }

  sum(one: string, other = "1") {
    return Number(one) + Number(other);
  }

  words(...words: string[]) {
    return words;
  }

  override overridden() {
    return "site";
  }
}

class WithWords extends App {
  index(word: string, ...more: string[]) {
    return [word, ...more].join("+");
  }

  about() {
    return "about";
  }
}

describe("DispatchTable", () => {
  test.each([
    ["/", "front page"],
    ["/?a=b", "front page"],
    ["/index", "front page"],
    ["/greet/Ann", "Hello, Ann!"],
    ["/greet/Ann/", "Hello, Ann!"],
    ["/greet/Ann?name=Bob", "Hello, Ann!"],
    ["/greet/J%C3%BCrgen%20%26%20Co", "Hello, Jürgen & Co!"],
    ["/greet/a%2Fb", "Hello, a/b!"],
    ["/greet/100%2525", "Hello, 100%25!"],
    ["/greet//", "Hello, !"],
    ["/%67reet/Ann", "Hello, Ann!"],
    ["/sum/1", "2"],
    ["/sum/1/2", "3"],
    ["/words", "[]"],
    ["/words/a/b", '["a","b"]'],
    ["/words/a/b/", '["a","b"]'],
    ["/inherited", "inherited"],
    ["/overridden", "site"],
    ["/cart", "your cart"],
    ["/item/7", "item 7"],
  ])("answers GET %s", async (path, body) => {
    const response = await new TestClient(new Site()).send(path);
    expect(response.status).toBe(200);
    expect(await response.text()).toBe(body);
  });

  test.each(["/%", "/%zz", "/greet/%ff", "/greet/%C3", "/greet/%ED%A0%80", "/nothing/%E2%82"])(
    "answers %s, which does not decode, with 400",
    async (path) => {
      const response = await new TestClient(new Site()).send(path);
      expect(response.status).toBe(400);
      expect(await response.text()).toBe("The path is not valid percent-encoded UTF-8.");
    },
  );

  test.each([
    ["an unknown page", "/nothing"],
    ["a page in other letters", "/Greet/Ann"],
    ["an empty name", "/.//greet/Ann"],
    ["a name with a blank", "/greet%20/Ann"],
    ["a field that is no page", "/greeting"],
    ["too few segments for a method", "/greet"],
    ["too few segments, and a slash", "/greet/"],
    ["too few segments for a verb", "/item"],
  ])("answers %s with 404", async (_, path) => {
    const response = await new TestClient(new Site()).send(path);
    expect(response.status).toBe(404);
    expect(await response.text()).toBe("There is nothing here.");
  });

  test("answers a verb that needs more segments than another with 404", async () => {
    const client = new TestClient(new Site());
    expect((await client.send("/item/7", { method: "DELETE" })).status).toBe(404);
    expect(await client.text("/item/7/broken", { method: "DELETE" })).toBe(
      "Hello, 7 is gone: broken",
    );
  });

  test.each([...VERBS, "PROPFIND"])("answers %s by a method", async (method) => {
    const response = await new TestClient(new Site()).send("/greet/Ann", { method });
    expect(response.status).toBe(200);
  });

  test.each([
    ["/cart", "PUT", "GET, HEAD, POST, OPTIONS"],
    ["/cart", "PROPFIND", "GET, HEAD, POST, OPTIONS"],
    ["/item/7", "POST", "GET, HEAD, DELETE, OPTIONS"],
  ])("answers %s with 405 to %s, and says what it answers", async (path, method, allow) => {
    const response = await new TestClient(new Site()).send(path, { method });
    expect(response.status).toBe(405);
    expect(response.headers.get("allow")).toBe(allow);
    expect(await response.text()).toBe(`This page does not answer ${method}.`);
  });

  test("answers HEAD through GET", async () => {
    expect((await new TestClient(new Site()).send("/cart", { method: "HEAD" })).status).toBe(200);
  });

  test("sends no body to HEAD", async () => {
    using _info = quiet("info");
    const site = new Site();
    const server = site.listen(0);
    const answer = await exchange(server.port ?? 0, head("HEAD /cart HTTP/1.1"));
    expect(answer).toStartWith("HTTP/1.1 200");
    expect(answer).not.toContain("your cart");
    await site.close();
  });

  test("answers OPTIONS by itself", async () => {
    const response = await new TestClient(new Site()).send("/cart", { method: "OPTIONS" });
    expect(response.status).toBe(204);
    expect(response.headers.get("allow")).toBe("GET, HEAD, POST, OPTIONS");
  });

  test("leaves HEAD and OPTIONS to handlers of the app's own", async () => {
    const client = new TestClient(new Site());
    const response = await client.send("/own", { method: "HEAD" });
    expect(response.headers.get("x-from")).toBe("HEAD");
    expect(await client.text("/own", { method: "OPTIONS" })).toBe("OPTIONS");
  });

  test.each([
    ["/word", "word"],
    ["/one/two", "one+two"],
    ["/about", "about"],
    ["/index/about", "about"],
    ["/__proto__", "__proto__"],
  ])("gives %s to an index with parameters, unless it names a page", async (path, body) => {
    expect(await new TestClient(new WithWords()).text(path)).toBe(body);
  });

  test("answers / with 404 where index needs a segment", async () => {
    expect((await new TestClient(new WithWords()).send("/")).status).toBe(404);
  });

  test("answers every path of an app without pages with 404", async () => {
    const client = new TestClient(new App());
    expect((await client.send("/")).status).toBe(404);
    expect((await client.send("/fetch")).status).toBe(404);
  });

  test.each([
    ["without a Host header", head("GET /greet/Ann HTTP/1.0").replace("host: localhost\r\n", "")],
    ["with an empty Host header", head("GET /greet/Ann HTTP/1.1", { host: "" })],
    [
      "with a path in its Host header",
      head("GET /greet/Ann HTTP/1.1", { host: "localhost/private" }),
    ],
    ["with a whole URL", head("GET http://elsewhere.example/greet/Ann HTTP/1.1")],
    ["with dots", head("GET /private/../greet/%41nn HTTP/1.1")],
  ])("answers a request %s by the path it asks for", async (_, request) => {
    using _info = quiet("info");
    const site = new Site();
    const server = site.listen(0);
    expect(await exchange(server.port ?? 0, request)).toEndWith("\r\n\r\nHello, Ann!");
    await site.close();
  });

  test("lists its routes at the start", async () => {
    using info = quiet("info");
    const site = new Site();
    const server = site.listen(0);
    expect(info.mock.calls).toEqual([
      [`Site is at ${server.url.href}`],
      [
        [
          "  /inherited   any verb",
          "  /overridden  any verb",
          "  /            any verb",
          "  /greet/…     any verb",
          "  /sum/…       any verb",
          "  /words       any verb",
          "  /cart        GET, HEAD, POST, OPTIONS",
          "  /item/…      GET, HEAD, DELETE, OPTIONS",
          "  /own         GET, HEAD, OPTIONS",
        ].join("\n"),
      ],
    ]);
    await site.close();
  });

  test("lists index with its parameters", async () => {
    using info = quiet("info");
    const app = new WithWords();
    app.listen(0);
    expect(info.mock.lastCall).toEqual(["  /…      any verb\n  /about  any verb"]);
    await app.close();
  });
});

/** An app with one page of this name, as a method. */
function asMethod(name: string): App {
  const Named = class extends App {};
  Object.defineProperty(Named.prototype, name, { value: () => "" });
  return new Named();
}

/** An app with one page of this name, as a field. */
function asField(name: string): App {
  return Object.defineProperty(new App(), name, { value: { GET: () => "" } });
}

describe("a page's name", () => {
  test.each(["fetch", "listen", "redirect", "sessions", "request", "close", "toString"])(
    "cannot be %s, which every App has",
    (name) => {
      for (const app of [asMethod(name), asField(name)]) {
        expect(() => new DispatchTable(app, App.prototype)).toThrow(
          new TypeError(
            `The page "${name}" has the name of something that every App has. Rename it; for a helper that is no page, begin its name with "_" or "#".`,
          ),
        );
      }
    },
  );

  test.each([...READ_BY_BUN])("cannot be %s, which Bun reads as a setting", (name) => {
    for (const app of [asMethod(name), asField(name)]) {
      expect(() => app.fetch).toThrow(
        new TypeError(
          `A page cannot be called "${name}": Bun reads app.${name} as a setting of its server. Rename it; for a helper that is no page, begin its name with "_" or "#".`,
        ),
      );
    }
  });

  test("can be a setting's where it holds that setting", async () => {
    class OnPort extends App {
      port = 4000;
      hostname = "localhost";
      index() {
        return "served";
      }
    }
    expect(await new TestClient(new OnPort()).text("/")).toBe("served");
  });
});

const handler = (): string => "";

describe("a field of handlers", () => {
  test.each([
    ["a verb in small letters", { GET: handler, post: handler }, "post"],
    ["a verb that is none", { GET: handler, FETCH: handler }, "FETCH"],
    ["a handler that is no function", { GET: handler, POST: "text" }, "POST"],
  ])("cannot hold %s", (_, handlers, stray) => {
    class Shop extends App {
      cart = handlers;
    }
    expect(() => new Shop().fetch).toThrow(
      new TypeError(
        `cart has handlers for GET, and also "${stray}". A page's field holds functions under GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS and nothing else.`,
      ),
    );
  });
});

describe("what a request carries beside its path", () => {
  test("D1: sets neither arguments nor the session, in a query or a form", async () => {
    class Private extends App<{ admin: boolean }> {
      async index(...words: string[]) {
        return { words, admin: this.request.session.admin ?? false };
      }
    }
    const client = new TestClient(new Private());
    expect(await client.text("/?admin=true&words=a")).toBe('{"words":[],"admin":false}');
    const response = await client.post("/", { admin: "true", words: "a" });
    expect(await response.json()).toEqual({ words: [], admin: false });
  });
});
