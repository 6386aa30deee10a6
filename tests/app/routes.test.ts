import { describe, expect, expectTypeOf, test } from "bun:test";
import { symlinkSync } from "node:fs";
import { join } from "node:path";

import { App, routes } from "bunpie";

import type { Segments } from "../../src/app/patterns.ts";
import { TestClient } from "../../src/testing/client.ts";
import { Folder } from "../support/folder.ts";

class Users extends App {
  users = routes({
    "/": { GET: () => "all", POST: () => "created" },
    "/new": () => "form",
    "/:id": { GET: (id) => `user ${id}`, DELETE: (id) => `no ${id}` },
    "/:id/posts/:post?": (id, post) => `${id}, ${post ?? "all posts"}`,
    "/files/*": (...path) => `files ${path.join("+")}`,
    "/*": (...path) => `rest ${path.join("+")}`,
  });
  index = routes({
    "/": () => "front",
    "/:page": (page) => `page ${page}`,
    "/sessions": () => "a reserved name",
    "/café": () => "coffee",
  });

  about() {
    return "about";
  }
}

const ROOT = join(import.meta.dir, "../..");

describe("routes", () => {
  test.each([
    ["/", "front"],
    ["/imprint", "page imprint"],
    ["/about", "about"],
    ["/sessions", "a reserved name"],
    ["/caf%C3%A9", "coffee"],
    ["/users", "all"],
    ["/users/", "all"],
    ["/users/new", "form"],
    ["/users/7", "user 7"],
    ["/users/%C3%BC", "user ü"],
    ["/users/7/posts", "7, all posts"],
    ["/users/7/posts/3", "7, 3"],
    ["/users/new/posts", "new, all posts"],
    ["/users/files", "files "],
    ["/users/files/a/b", "files a+b"],
    ["/users/files/a%20b", "files a b"],
    ["/users/7/likes", "rest 7+likes"],
    ["/users/7/posts/3/4", "rest 7+posts+3+4"],
    ["/users/7/posts/3/4/", "rest 7+posts+3+4"],
  ])("answer %s by the most specific pattern", async (path, body) => {
    expect(await new TestClient(new Users()).text(path)).toBe(body);
  });

  test.each([
    "/users//evil.example",
    "/users//",
    "/users/7/likes//",
    "/users/files//etc/passwd",
    "/users/files/a//b",
    "/users/files//",
  ])(
    "answer %s, which has an empty segment, with 404, so that no path of `*` begins with a slash",
    async (path) => {
      expect((await new TestClient(new Users()).send(path)).status).toBe(404);
    },
  );

  test.each([
    ["/users", "DELETE", 405, "GET, HEAD, POST, OPTIONS"],
    ["/users/7", "POST", 405, "GET, HEAD, DELETE, OPTIONS"],
    ["/users/new", "PUT", 405, "GET, HEAD, POST, OPTIONS"],
    ["/users/7", "OPTIONS", 204, "GET, HEAD, DELETE, OPTIONS"],
    ["/imprint/more", "GET", 404, null],
    ["/users/files/a%2Fb", "GET", 400, null],
  ])("answer %s to %s with %p", async (path, method, status, allow) => {
    const response = await new TestClient(new Users()).send(path, { method });
    expect([response.status, response.headers.get("allow")]).toEqual([status, allow]);
  });

  test.each([
    ["users", 'The pattern "users" has to begin with "/".'],
    [
      "/*/more",
      'The pattern "/*/more" has segments after "*", which takes the rest of the path. End it with "*".',
    ],
    [
      "/:id?/more",
      'The pattern "/:id?/more" has a segment after an optional one. Write two patterns, with and without the optional one.',
    ],
    [
      "/a//b",
      'The pattern "/a//b" has the segment "". A segment is plain text, ":name", ":name?" or, at the end, "*".',
    ],
    [
      "/a*",
      'The pattern "/a*" has the segment "a*". A segment is plain text, ":name", ":name?" or, at the end, "*".',
    ],
  ])("refuse the pattern %s", (pattern, message) => {
    class Things extends App {
      things = routes({ [pattern as "/"]: () => "" });
    }
    expect(() => new Things().fetch).toThrow(new TypeError(message));
  });

  test("refuse what is no handler", () => {
    class Things extends App {
      // @ts-expect-error A text answers nothing.
      things = routes({ "/": "text" });
    }
    expect(() => new Things().fetch).toThrow(
      new TypeError(
        `things's "/" has to be a function, or functions by verb: { GET: () => …, POST: () => … }.`,
      ),
    );
  });

  test("refuse two pages for the same paths", () => {
    class Twice extends App {
      index = routes({ "/about": () => "" });
      about() {
        return "";
      }
    }
    expect(() => new Twice().fetch).toThrow(
      new TypeError('Two pages answer the same paths: "/about" and "/about". Rename one of them.'),
    );
    class Rests extends App {
      index = routes({ "/:a/*": () => "", "/:b/*": () => "" });
    }
    expect(() => new Rests().fetch).toThrow("Two pages answer the same paths");
  });

  test("prefer a page of its own to one whose optional segment is missing, in either order", async () => {
    class Optional extends App {
      first = routes({ "/:id?": () => "optional", "/": () => "exact" });
      second = routes({ "/": () => "exact", "/:id?": () => "optional" });
      third = routes({ "/:id": () => "parameter", "/:id?": () => "optional" });
    }
    const client = new TestClient(new Optional());
    expect(await client.text("/first")).toBe("exact");
    expect(await client.text("/second")).toBe("exact");
    expect(await client.text("/second/1")).toBe("optional");
    expect([await client.text("/third"), await client.text("/third/1")]).toEqual([
      "optional",
      "parameter",
    ]);
  });

  test("explain to a caller with the wrong parameter type what pages and sockets take", async () => {
    using folder = new Folder();
    await Promise.all([
      Bun.write(
        folder.file("tsconfig.json"),
        JSON.stringify({ extends: `${ROOT}/tsconfig.json`, include: ["pages.ts"] }),
      ),
      Bun.write(
        folder.file("pages.ts"),
        `import type { Socket } from "${ROOT}/src/index.ts";
import { routes } from "${ROOT}/src/index.ts";
export const page = routes({ "/:id": (id: number) => id });
export const ws_page = routes({ "/:id": (socket: Socket, id: number) => socket.send(id) });
`,
      ),
    ]);
    symlinkSync(`${ROOT}/node_modules`, folder.file("node_modules"));
    const child = Bun.spawn([process.execPath, "check", "--no-script"], {
      cwd: folder.path,
      stdio: ["ignore", "pipe", "pipe"],
    });
    const [output, errors] = await Promise.all([child.stdout.text(), child.stderr.text()]);
    const said = (output + errors)
      .split(/^(?=pages\.ts\()/m)
      .filter((text) => text.startsWith("pages"));
    expect(said.map((text) => text.split(":")[0])).toEqual(["pages.ts(3,30)", "pages.ts(4,33)"]);
    for (const text of said) {
      expect(text).toContain("A page gets its segments as strings: (id: string) => …");
      expect(text).toContain(
        "In a field ws_…, the socket first: (socket: Socket, id: string) => …",
      );
    }
  });

  test("type the segments from the pattern", () => {
    expectTypeOf<Segments<"/">>().toEqualTypeOf<[]>();
    expectTypeOf<Segments<"/:id">>().toEqualTypeOf<[segment: string]>();
    expectTypeOf<Segments<"/a/:id/b/:c?">>().toEqualTypeOf<[segment: string, segment?: string]>();
    expectTypeOf<Segments<"/a/*">>().toEqualTypeOf<string[]>();
    routes({
      // @ts-expect-error The pattern has one segment, and the function wants two.
      "/:id": (id, more) => id + more,
    });
    routes({
      "/:id": { GET: (id) => expectTypeOf(id).toEqualTypeOf<string>() },
      "/:id/:more?": (id, more) => {
        expectTypeOf(id).toEqualTypeOf<string>();
        expectTypeOf(more).toEqualTypeOf<string | undefined>();
      },
      "/files/*": (...path) => expectTypeOf(path).toEqualTypeOf<string[]>(),
    });
  });
});
