import { describe, expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { join } from "node:path";

import { App, HttpError, routes } from "bunpie";
import { parseHTML } from "linkedom";

import { load } from "../../src/app/dev-page.ts";
import { TestClient } from "../../src/testing/client.ts";
import { withNodeEnv } from "../support/environment.ts";
import { Folder } from "../support/folder.ts";

/** Put together, so that the source on the page does not have it. */
const [HEADER, COOKIE, VALUE] = ["header", "cookie", "session"].map((of) => `secret ${of}`);
const SECRETS = /387420489|session_id|secret (?:header|cookie|session)/;
const INJECTED = /<script>alert/;

const BROWSER = { headers: { accept: "text/html,*/*;q=0.8", "x-secret": `${HEADER}` } };

const HOSTILE = `</script><script>alert(1)</script><img src=x onerror=alert(2)>
    at "><script>alert(3)</script> (/etc/passwd:1:1)
    at evil (/etc/hostname:1:1)`;

class Site extends App<{ visits: number; "<b>": string }> {
  index() {
    return "Hello.";
  }

  users = routes({
    "/:id/posts/:post?": (id) => {
      const { session } = this.request;
      session.visits = 9 ** 9;
      session["<b>"] = `${VALUE}`;
      throw new Error(`No user ${id}`, { cause: new TypeError("the cause") });
    },
    "/files/*": () => "",
  });

  hostile() {
    throw new Error(HOSTILE);
  }

  upstream() {
    throw Object.assign(new Error("refused"), {
      request: new Request("http://other/", { headers: { authorization: `${HEADER}` } }),
      hint: "<script>alert(4)</script>",
    });
  }

  several() {
    throw new AggregateError([new RangeError("the first of several")]);
  }

  text() {
    throw "a text that was thrown";
  }

  object() {
    throw { password: VALUE };
  }

  mine() {
    throw new HttpError(404, "No such book");
  }

  override onReport() {}
}

async function show(path: string, site: App = new Site()) {
  const client = new TestClient(site);
  client.cookies.set("theme", `${COOKIE}`);
  const response = await client.send(path, BROWSER);
  const text = await response.text();
  return { response, text, document: parseHTML(text).document };
}

describe("a bug, in development, in a browser,", () => {
  test("is shown with its message, cause, source, stack, route and the session's keys", async () => {
    const { response, text, document } = await show("/users/7/posts");
    expect([response.status, response.headers.get("content-type")]).toEqual([
      500,
      "text/html;charset=utf-8",
    ]);
    expect(response.headers.get("vary")).toBe("Accept, Cookie");
    expect(document.querySelector("#error-message")?.textContent).toContain("No user 7");
    expect(document.querySelector("#error-cause")?.textContent).toContain("the cause");
    const source = document.querySelector(".stack-frame.expanded");
    expect(source?.textContent).toContain("dev-page.test.ts");
    expect(source?.querySelector("code.shj-lang-js")?.textContent).toContain("throw new Error(");
    const rows = [...document.querySelectorAll(".table-value")].map((cell) =>
      cell.textContent?.trim(),
    );
    expect(rows).toEqual(["GET /users/:id/posts/:post?", "id, post", "visits, <b>"]);
    expect(text).not.toMatch(SECRETS);
  });

  test("is escaped, and reads no file that a visitor's fake stack names", async () => {
    const { document, text } = await show("/hostile");
    const scripts = [...document.querySelectorAll("script")].map(({ textContent }) => textContent);
    expect(scripts.filter((script) => script?.startsWith("alert"))).toEqual([]);
    expect(document.querySelectorAll("img")).toHaveLength(0);
    expect(document.querySelector("#error-message")?.textContent).toContain("alert(1)");
    const files = [...document.querySelectorAll(".stack-frame-filepath")].map(
      (link) => link.textContent,
    );
    expect(files.join()).toContain("dev-page.test.ts");
    expect(files.join()).not.toContain("/etc/");
    expect(text).not.toContain("root:x:0");
  });

  test("shows no properties of the error, such as a request", async () => {
    const { text, document } = await show("/upstream");
    expect(document.querySelector("#error-message")?.textContent).toContain("refused");
    expect(text).not.toMatch(SECRETS);
    expect(text).not.toMatch(INJECTED);
  });

  test.each([
    ["/several", "#error-cause", "the first of several"],
    ["/text", "#error-message", "is not an Error: a text that was thrown"],
    ["/object", "#error-message", "is not an Error: an object"],
  ])("is shown for anything that is thrown: %s", async (path, place, wanted) => {
    const { text, document } = await show(path);
    expect(document.querySelector(place)?.textContent).toContain(wanted);
    expect(text).not.toMatch(SECRETS);
  });

  test("stops at a circle of causes", async () => {
    class Circle extends Site {
      circle() {
        const error = new Error("round");
        error.cause = error;
        throw error;
      }
    }
    const { document } = await show("/circle", new Circle());
    expect(document.querySelector("#error-message")?.textContent).toContain("round");
  });

  test("is escaped if a function's name is hostile", async () => {
    const NAME = 'a" data-injected="yes';
    class Named extends Site {
      readonly #named = {
        [NAME]: () => {
          throw new Error("named");
        },
      };
      named() {
        this.#named[NAME]?.();
      }
    }
    const { document } = await show("/named", new Named());
    expect(document.querySelector(".stack-frame.expanded")?.textContent).toContain("data-injected");
    expect(document.querySelectorAll("[data-injected]")).toHaveLength(0);
  });

  test("needs no network", async () => {
    const { document } = await show("/hostile");
    const loaded = document.querySelectorAll("link, [src], iframe, object");
    expect([...loaded].map((element) => element.outerHTML)).toEqual([]);
    const styles = [...document.querySelectorAll("style")].map(({ textContent }) => textContent);
    expect(styles.join("")).not.toMatch(/@import|url\((?!data:)/);
  });

  test("has no frames if its message is not the one above its stack", async () => {
    class Reworded extends Site {
      reworded() {
        const error = new Error(HOSTILE);
        void error.stack;
        error.message = "reworded";
        throw error;
      }
    }
    const { document } = await show("/reworded", new Reworded());
    expect(document.querySelector("#error-message")?.textContent).toContain("reworded");
    expect(document.querySelectorAll(".stack-frame")).toHaveLength(0);
  });

  test("is shown as in production if it cannot be read", async () => {
    class Unreadable extends Site {
      unreadable() {
        throw Object.defineProperty(new Error(), "message", {
          get() {
            throw new Error("unreadable");
          },
        });
      }
    }
    const { text } = await show("/unreadable", new Unreadable());
    expect(text).toContain("<h1>Something went wrong on this server.</h1>");
  });

  test("is shown by the app if that draws its own page", async () => {
    class Own extends Site {
      override onError() {
        return "sorry";
      }
    }
    expect((await show("/hostile", new Own())).text).toBe("sorry");
  });
});

describe("an unknown path, in development, in a browser,", () => {
  test.each([
    ["/user/7/posts", ["/users/:id/posts/:post?"]],
    ["/users/file/a/b", ["/users/files/*", "/users/:id/posts/:post?"]],
    ["/min", ["/mine"]],
    ["/nothing-like-it-at-all", []],
  ])("%s lists similar pages", async (path, patterns) => {
    const { response, document } = await show(path);
    expect(response.status).toBe(404);
    const near = [...document.querySelectorAll("li")].map(({ textContent }) => textContent);
    expect(near.slice(0, patterns.length)).toEqual(patterns);
    expect(near.length > 0).toBe(patterns.length > 0);
  });

  test("lists none if a page found nothing", async () => {
    const { text } = await show("/mine");
    expect(text).toContain("<h1>No such book</h1>");
    expect(text).not.toContain("<li>");
  });
});

/** Writes a program that asks an app with a bug, and bundles it as it is in development. */
async function bundle(folder: Folder, program: string): Promise<void> {
  const entry = join(import.meta.dir, "../../src/index.ts");
  await Bun.write(
    folder.file("app.ts"),
    `import { App } from ${JSON.stringify(entry)};
     class Site extends App { bug() { throw new Error("secret"); } override onReport() {} }
     const headers = { accept: "text/html" };
     const ask = (path) => new Site().fetch(new Request("http://localhost" + path, { headers }));
     ${program}`,
  );
  const entrypoints = [folder.file("app.ts")];
  const built = await Bun.build({ entrypoints, target: "bun", outdir: folder.path });
  expect(built.success).toBeTrue();
}

describe("in production", () => {
  test("a browser learns nothing about a bug or other pages", async () => {
    using _production = withNodeEnv("production");
    const bug = await show("/users/7/posts");
    expect(bug.text).toContain("<h1>Something went wrong on this server.</h1>");
    expect(bug.text).not.toMatch(/No user 7|visits|dev-page/);
    expect((await show("/min")).text).not.toContain("<li>");
  });

  test("nothing of the page is loaded, even from a bundle that was built in development", async () => {
    using folder = new Folder();
    await bundle(
      folder,
      `const [bug, near] = [await ask("/bug"), await ask("/bu")];
       const text = await bug.text() + await near.text();
       const loaded = Object.keys(require.cache).filter((path) => /youch|leven|dev-page/.test(path));
       console.log(JSON.stringify([bug.status, /secret|youch|<li>/.test(text), loaded]));`,
    );
    for (const file of ["app.ts", "app.js"]) {
      const child = Bun.spawn([process.execPath, folder.file(file)], {
        env: { ...process.env, NODE_ENV: "production" },
      });
      expect(await child.stdout.json()).toEqual([500, false, []]);
    }
  });
});

describe("the development page", () => {
  test("says which packages are not installed", async () => {
    await expect(load("no-such-package")).rejects.toThrow("no-such-package is not installed.");
  });
});

describe("without youch and leven", () => {
  test("a browser gets the production page, and nothing is downloaded", async () => {
    using folder = new Folder();
    await bundle(
      folder,
      `for (const path of ["/bug", "/bu"]) {
         const response = await ask(path);
         console.log(response.status, /<h1>([^<]*)/.exec(await response.text())?.[1]);
       }`,
    );
    const child = Bun.spawn([process.execPath, folder.file("app.js")], {
      cwd: folder.path,
      env: {
        ...process.env,
        NODE_ENV: "development",
        BUN_INSTALL_CACHE_DIR: folder.file("cache"),
      },
    });
    expect(await child.stdout.text()).toBe(
      "500 Something went wrong on this server.\n404 Not Found\n",
    );
    expect(existsSync(folder.file("cache"))).toBeFalse();
  });
});
