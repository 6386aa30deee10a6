import { describe, expect, test } from "bun:test";

import { App } from "bunpie";

import { TestClient } from "../../src/testing/client.ts";
import { quiet } from "../support/quiet.ts";
import { exchange, head } from "../support/raw.ts";
import { serve } from "../support/serve.ts";

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
  ownVerbs = {
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
  index(word: string) {
    return word;
  }

  about() {
    return "about";
  }
}

describe("RouteTable", () => {
  test.each([
    ["/", "front page"],
    ["/?a=b", "front page"],
    ["/greet/Ann", "Hello, Ann!"],
    ["/greet/Ann/", "Hello, Ann!"],
    ["/greet/Ann?name=Bob", "Hello, Ann!"],
    ["/greet/J%C3%BCrgen%20%26%20Co", "Hello, Jürgen & Co!"],
    ["/greet/100%2525", "Hello, 100%25!"],
    ["/%67reet/Ann", "Hello, Ann!"],
    ["/sum/1", "2"],
    ["/words", "[]"],
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
    ["a page in another case", "/Greet/Ann"],
    ["an empty name", "/.//greet/Ann"],
    ["a name with a space", "/greet%20/Ann"],
    ["a field that is no page", "/greeting"],
    ["too few segments for a method", "/greet"],
    ["too few segments, and a slash", "/greet/"],
    ["too few segments for a verb", "/item"],
    ["an empty segment", "/greet//"],
    ["a segment for a parameter with a default", "/sum/1/2"],
    ["segments for a rest parameter", "/words/a"],
  ])("answers %s with 404", async (_, path) => {
    const response = await new TestClient(new Site()).send(path);
    expect(response.status).toBe(404);
    expect(await response.text()).toBe("Not Found");
  });

  test.each(["a%2Fb", "%2Fetc", "a%5Cb", "a%00b"])(
    "answers the segment %s with 400, so that no file path can be built from it",
    async (segment) => {
      const response = await new TestClient(new Site()).send(`/greet/${segment}`);
      expect(response.status).toBe(400);
      expect(await response.text()).toBe(
        'A segment of the path is ".", "..", or contains "/", "\\" or NUL.',
      );
    },
  );

  test.each([
    ["a method", "/greet/Ann/Ben"],
    ["a method without parameters", "/inherited/style.css"],
    ["a field", "/cart/style.css"],
  ])("D2: answers too many segments for %s with 404", async (_, path) => {
    expect((await new TestClient(new Site()).send(path)).status).toBe(404);
  });

  test("distinguishes verbs with different numbers of segments", async () => {
    const client = new TestClient(new Site());
    expect((await client.send("/item/7", { method: "DELETE" })).headers.get("allow")).toBe(
      "GET, HEAD, OPTIONS",
    );
    expect(await client.text("/item/7/broken", { method: "DELETE" })).toBe(
      "Hello, 7 is gone: broken",
    );
  });

  test.each(["GET", "HEAD", "POST"])("answers %s by a method", async (method) => {
    const response = await new TestClient(new Site()).send("/greet/Ann", { method });
    expect(response.status).toBe(200);
  });

  test.each([
    ["/cart", "PUT", "GET, HEAD, POST, OPTIONS"],
    ["/cart", "PROPFIND", "GET, HEAD, POST, OPTIONS"],
    ["/item/7", "POST", "GET, HEAD, OPTIONS"],
    ["/greet/Ann", "PUT", "GET, HEAD, POST, OPTIONS"],
    ["/greet/Ann", "DELETE", "GET, HEAD, POST, OPTIONS"],
    ["/greet/Ann", "PROPFIND", "GET, HEAD, POST, OPTIONS"],
  ])("answers %s with 405 to %s, and says what is allowed", async (path, method, allow) => {
    const response = await new TestClient(new Site()).send(path, { method });
    expect(response.status).toBe(405);
    expect(response.headers.get("allow")).toBe(allow);
    expect(await response.text()).toBe(`${method} is not allowed here.`);
  });

  test("sends no body to HEAD", async () => {
    await using server = serve(new Site());
    const answer = await exchange(server.port, head("HEAD /cart HTTP/1.1"));
    expect(answer).toStartWith("HTTP/1.1 200");
    expect(answer).not.toContain("your cart");
  });

  test("leaves HEAD and OPTIONS to the app's own handlers", async () => {
    const client = new TestClient(new Site());
    const response = await client.send("/ownVerbs", { method: "HEAD" });
    expect(response.headers.get("x-from")).toBe("HEAD");
    expect(await client.text("/ownVerbs", { method: "OPTIONS" })).toBe("OPTIONS");
  });

  test.each([
    ["/word", "word"],
    ["/about", "about"],
    ["/__proto__", "__proto__"],
  ])("passes %s to an index with parameters, unless it names a page", async (path, body) => {
    expect(await new TestClient(new WithWords()).text(path)).toBe(body);
  });

  test("answers / with 404 if index requires a segment", async () => {
    expect((await new TestClient(new WithWords()).send("/")).status).toBe(404);
  });

  test("answers every path of an app without pages with 404", async () => {
    const client = new TestClient(new App());
    expect((await client.send("/")).status).toBe(404);
    expect((await client.send("/fetch")).status).toBe(404);
  });

  test("lists its routes at startup", async () => {
    using info = quiet("info");
    const site = new Site();
    const server = site.listen(0);
    expect(info.mock.calls).toEqual([
      [`Site is at ${server.url.href}`],
      [
        [
          "  /inherited   GET, HEAD, POST, OPTIONS",
          "  /overridden  GET, HEAD, POST, OPTIONS",
          "  /            GET, HEAD, POST, OPTIONS",
          "  /greet/:1    GET, HEAD, POST, OPTIONS",
          "  /sum/:1      GET, HEAD, POST, OPTIONS",
          "  /words       GET, HEAD, POST, OPTIONS",
          "  /cart        GET, HEAD, POST, OPTIONS",
          "  /item/:1     GET, HEAD, OPTIONS",
          "  /item/:1/:2  DELETE, OPTIONS",
          "  /ownVerbs    GET, HEAD, OPTIONS",
        ].join("\n"),
      ],
    ]);
    await site.close();
  });

  test("lists index with its parameters", async () => {
    using info = quiet("info");
    const app = new WithWords();
    app.listen(0);
    expect(info.mock.lastCall).toEqual([
      "  /:1     GET, HEAD, POST, OPTIONS\n  /about  GET, HEAD, POST, OPTIONS",
    ]);
    await app.close();
  });
});
