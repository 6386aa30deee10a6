import { describe, expect, expectTypeOf, spyOn, test } from "bun:test";

import type { AppRequest } from "bunpie";
import { App, compress, HttpError, redirect } from "bunpie";

import { TestClient } from "../../src/testing/client.ts";
import { FAILING } from "../support/failing.ts";
import { quiet } from "../support/quiet.ts";

interface Data {
  visits: number;
}

/** An app whose middleware the test gives, and that says in which order things happened. */
class Site extends App<Data> {
  readonly _steps: string[] = [];

  index() {
    this._steps.push("page");
    this.request.session.visits = (this.request.session.visits ?? 0) + 1;
    return "page";
  }

  async later() {
    this._steps.push("later");
    return "late";
  }

  bug() {
    throw new Error("bug");
  }

  async bugLater() {
    throw new Error("late bug");
  }

  leave() {
    throw redirect("/elsewhere");
  }

  refuse() {
    throw new HttpError(403, "No.");
  }
}

describe("middleware", () => {
  test("wraps the page, with the first outermost", async () => {
    const site = new Site();
    for (const name of ["a", "b"]) {
      site.use(async (_, next) => {
        site._steps.push(`${name} in`);
        const response = await next();
        site._steps.push(`${name} out`);
        return response;
      });
    }
    expect(await new TestClient(site).text("/")).toBe("page");
    expect(site._steps).toEqual(["a in", "b in", "page", "b out", "a out"]);
  });

  test("is synchronous if the page is", async () => {
    const site = new Site();
    site.use((_, next) => next());
    const response = site.fetch(new Request("http://localhost/"));
    expect(response).toBeInstanceOf(Response);
    expect(site.fetch(new Request("http://localhost/later"))).toBeInstanceOf(Promise);
  });

  test("can access the session, and what it writes is stored with the response", async () => {
    const site = new Site();
    site.use((request, next) => {
      request.session.visits = 10;
      return next();
    });
    const client = new TestClient(site);
    await client.send("/");
    expect(client.sessionId).toBeDefined();
    site._steps.length = 0;
    class Reader extends Site {}
    expect(new Reader()).toBeInstanceOf(App);
    expect(await client.text("/")).toBe("page");
  });

  test("may answer instead of the page, with whatever a page may return", async () => {
    const site = new Site();
    site.use((request, next) => (request.query("stop") === undefined ? next() : { stopped: true }));
    const client = new TestClient(site);
    expect(await client.json("/?stop=1")).toEqual({ stopped: true });
    expect(site._steps).toEqual([]);
    expect(await client.text("/")).toBe("page");
  });

  test("passes the inner response on if it returns nothing", async () => {
    const site = new Site();
    site.use(async (_, next) => {
      await next();
    });
    expect(await new TestClient(site).text("/later")).toBe("late");
  });

  test("that neither answers nor calls next() causes a 500, and the log says why", async () => {
    using error = quiet("error");
    const site = new Site();
    site.use(() => {});
    expect((await new TestClient(site).send("/")).status).toBe(500);
    expect(String(error.mock.lastCall?.[2])).toContain(
      "A middleware returned nothing. Return a response, or call next().",
    );
  });

  test("that was passed uncalled causes a 500, and the log says how to call it", async () => {
    using error = quiet("error");
    const site = new Site();
    site.use(compress as never);
    expect((await new TestClient(site).send("/")).status).toBe(500);
    expect(String(error.mock.lastCall?.[2])).toContain(
      "A middleware returned a function. If it makes the middleware, call it: this.use(compress()).",
    );
  });

  test("that calls next() twice causes a 500, and runs the page once", async () => {
    using error = quiet("error");
    const site = new Site();
    site.use((_, next) => {
      void next();
      return next();
    });
    expect((await new TestClient(site).send("/")).status).toBe(500);
    expect(site._steps).toEqual(["page"]);
    expect(String(error.mock.lastCall?.[2])).toContain("called next() twice");
  });

  test.each(["/bug", "/bugLater", "/refuse"])("catches what %s throws", async (path) => {
    const site = new Site();
    site.use(async (_, next) => {
      try {
        return await next();
      } catch (error) {
        return `caught ${(error as Error).message}`;
      }
    });
    const response = await new TestClient(site).send(path);
    expect(response.status).toBe(200);
    expect(await response.text()).toStartWith("caught ");
  });

  test("receives a thrown response as a response", async () => {
    const site = new Site();
    site.use(async (_, next) => {
      const response = await next();
      site._steps.push(String(response.status));
      return response;
    });
    expect((await new TestClient(site).send("/leave")).headers.get("location")).toBe("/elsewhere");
    expect(site._steps).toEqual(["302"]);
  });

  test.each(FAILING)(
    "that %s with a response passes it to the outer middleware",
    async (_, fail) => {
      using error = quiet("error");
      const site = new Site();
      site.use(async (request, next) => {
        request.session.visits = 1;
        const response = await next();
        site._steps.push(String(response.status));
        return response;
      });
      site.use(() => fail(redirect("/login")));
      const client = new TestClient(site);
      expect((await client.send("/")).headers.get("location")).toBe("/login");
      expect(site._steps).toEqual(["302"]);
      expect(client.sessionId).toBeDefined();
      expect(error).not.toHaveBeenCalled();
    },
  );

  test("sends visitors of a mounted app to the login", async () => {
    class Admin extends App {
      constructor() {
        super();
        this.use((_, next) => {
          this.requireLogin();
          return next();
        });
      }

      index() {
        return "secret";
      }
    }
    const site = new Site();
    site.mount("/admin", new Admin());
    const client = new TestClient(site);
    const response = await client.send("/admin", { headers: { accept: "text/html" } });
    expect(response.status).toBe(303);
    expect(response.headers.get("location")).toBe("/login?returnTo=%2Fadmin");
    expect((await client.send("/admin")).status).toBe(401);
  });

  test.each([
    ["/nowhere", "GET", 404],
    ["/", "PUT", 405],
    ["/greet/%ff", "GET", 400],
  ])("sees %s by %s as a response with %p and no page", async (path, method, status) => {
    const site = new Site();
    const seen: unknown[] = [];
    site.use(async (request, next) => {
      const response = await next();
      seen.push(request.page, response.status);
      return response;
    });
    expect((await new TestClient(site).send(path, { method })).status).toBe(status);
    expect(seen).toEqual([null, status]);
  });

  test("may replace a 404 by a page of its own, and the session is stored", async () => {
    const site = new Site();
    site.use(async (request, next) => {
      const response = await next();
      if (response.status !== 404) return response;
      request.session.visits = 1;
      return "a page for every path";
    });
    const client = new TestClient(site);
    expect(await client.text("/some/where")).toBe("a page for every path");
    expect(client.sessionId).toBeDefined();
  });

  test("that does not wait for an inner failure does not end the process", async () => {
    const site = new Site();
    site.use((_, next) => {
      void next();
      return "meanwhile";
    });
    expect(await new TestClient(site).text("/bugLater")).toBe("meanwhile");
    await Bun.sleep(0);
  });

  test("makes the response private if it reads the session after the page", async () => {
    const site = new Site();
    site.use(async (request, next) => {
      const response = await next();
      void request.session.visits;
      return response;
    });
    const { headers } = await new TestClient(site).send("/later");
    expect([headers.get("vary"), headers.get("cache-control")]).toEqual(["Cookie", "private"]);
  });

  test("that replaces Vary does not hide that the page accessed the session", async () => {
    const site = new Site();
    site.use(async (request, next) => {
      void request.session.visits;
      const response = await next();
      response.headers.set("vary", "Origin");
      return response;
    });
    expect((await new TestClient(site).send("/")).headers.get("vary")).toBe("Origin, Cookie");
  });

  test("that returns another response gets nosniff on that too", async () => {
    const site = new Site();
    site.use(async (_, next) => new Response((await next()).body));
    const { headers } = await new TestClient(site).send("/");
    expect(headers.get("x-content-type-options")).toBe("nosniff");
  });

  test("can use this.request as the page can", async () => {
    const site = new Site();
    site.use((request, next) => {
      site._steps.push(String(site.request === request));
      return next();
    });
    await new TestClient(site).send("/");
    expect(site._steps).toEqual(["true", "page"]);
  });

  test("has to be a function", () => {
    expect(() => new Site().use("compress" as never)).toThrow(
      new TypeError("this.use() takes a function: this.use((request, next) => next())."),
    );
  });

  test("cannot be added once the app answers requests", async () => {
    const site = new Site();
    await new TestClient(site).send("/");
    expect(() => site.use((_, next) => next())).toThrow(
      "this.use() was called after the app had begun to answer requests. Call it in the constructor.",
    );
  });

  test("has the app's own request type as its parameter", () => {
    const site = new Site();
    site.use((request, next) => {
      expectTypeOf(request).toEqualTypeOf<AppRequest<Data>>();
      return next();
    });
    expect(spyOn(site, "use")).toBeDefined();
  });
});
