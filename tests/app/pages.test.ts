import { describe, expect, test } from "bun:test";

import { App } from "bunpie";

import { collectPages, READ_BY_BUN } from "../../src/app/pages.ts";
import { TestClient } from "../../src/testing/client.ts";

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
  test.each(["listen", "redirect", "sessions", "request", "close", "use", "toString"])(
    "cannot be %s, which every App has",
    (name) => {
      for (const app of [asMethod(name), asField(name)]) {
        expect(() => collectPages(app, App.prototype)).toThrow(
          new TypeError(
            `"${name}" is a reserved App member and cannot be a page. Rename it; for a helper that is not a page, begin its name with "_" or "#". For a page at that URL, use routes({ "/${name}": … }) on \`index\`.`,
          ),
        );
      }
    },
  );

  test.each([...READ_BY_BUN])("cannot be %s, which Bun reads as a setting", (name) => {
    for (const app of [asMethod(name), asField(name)]) {
      expect(() => app.fetch).toThrow(
        new TypeError(
          `A page cannot be called "${name}": Bun reads app.${name} as a setting of its server. Rename it; for a helper that is not a page, begin its name with "_" or "#". For a page at that URL, use routes({ "/${name}": … }) on \`index\`.`,
        ),
      );
    }
  });

  test("can be a setting's if the field holds that setting", async () => {
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
    ["a lower-case verb", { GET: handler, post: handler }, "post"],
    ["an unknown verb", { GET: handler, FETCH: handler }, "FETCH"],
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

describe("what looks like a page and is none", () => {
  test.each([
    [
      "a field that holds a function",
      class extends App {
        greet = (name: string) => name;
      },
      '"greet" is a field that holds a function. Make it a method, or put it under its verb, { GET: … }',
    ],
    [
      "a getter",
      class extends App {
        get greet() {
          return "";
        }
      },
      '"greet" is a getter or setter, which cannot be a page. Make it a method',
    ],
    [
      "a field with a value under a verb",
      class extends App {
        cart = { GET: "empty" };
      },
      'cart has "GET", which is not a function. Write { GET: () => … }',
    ],
    [
      "a field of lower-case verbs",
      class extends App {
        cart = { get: handler, post: handler };
      },
      'cart has a function under "get". Verbs are written GET',
    ],
  ])("%s is refused, with the remedy", (_, Faulty, message) => {
    expect(() => new Faulty().fetch).toThrow(
      new TypeError(`${message}; for a helper that is not a page, begin its name with "_" or "#".`),
    );
  });

  test("a client with functions of its own is no page, and accepted", async () => {
    class Api {
      get = handler;
      post = handler;
    }
    class Shop extends App {
      api = new Api();
      index() {
        return "open";
      }
    }
    const client = new TestClient(new Shop());
    expect(await client.text("/")).toBe("open");
    expect((await client.send("/api")).status).toBe(404);
  });

  test("D1: helpers that begin with _ or # are no pages", async () => {
    class Shop extends App {
      _format = (price: number) => `${price} €`;
      get _rate() {
        return 2;
      }
      index() {
        return this._format(this._rate);
      }
    }
    expect(await new TestClient(new Shop()).text("/")).toBe("2 €");
  });
});

describe("the query and the form of a request", () => {
  test("D1: set neither arguments nor the session", async () => {
    class Private extends App<{ admin: boolean }> {
      async index(word = "none") {
        return { word, admin: this.request.session.admin ?? false };
      }
    }
    const client = new TestClient(new Private());
    expect(await client.text("/?admin=true&word=a")).toBe('{"word":"none","admin":false}');
    const response = await client.post("/", { admin: "true", word: "a" });
    expect(await response.json()).toEqual({ word: "none", admin: false });
  });
});
