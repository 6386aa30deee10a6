import { describe, expect, spyOn, test } from "bun:test";

import type { AppOptions, Session } from "bunpie";
import { App } from "bunpie";

import { TestClient } from "../../src/testing/client.ts";
import { FAILING } from "../support/failing.ts";
import { quiet } from "../support/quiet.ts";

/** An app that says what happens to it, and when. */
class Site extends App {
  readonly #log: string[];
  readonly #name: string;

  constructor(log: string[], name = "app", options: AppOptions = {}) {
    super(options);
    this.#log = log;
    this.#name = name;
  }

  index() {
    return "served";
  }

  later() {
    this.waitUntil(Promise.resolve().then(() => void this.#log.push("work done")));
    return "sent";
  }

  failsLater() {
    this.waitUntil(Promise.reject(new Error("no mail")));
    return "sent";
  }

  override onStart(): void | Promise<void> {
    this.#log.push(`${this.#name} starts`);
  }

  override onStop(): void | Promise<void> {
    this.#log.push(`${this.#name} stops`);
  }

  override onReport(error: unknown): void {
    this.#log.push(String(error));
  }
}

describe("onStart", () => {
  test("runs once, before the first request, for mounted apps too", async () => {
    const log: string[] = [];
    const site = new Site(log, "outer");
    site.mount("/inner", new Site(log, "inner"));
    const client = new TestClient(site);
    await client.send("/");
    await client.send("/inner");
    expect(log).toEqual(["outer starts", "inner starts"]);
    await site.close();
    expect(log.slice(2)).toEqual(["inner stops", "outer stops"]);
  });

  test("may be asynchronous: requests wait for it, and start() too", async () => {
    const opened = Promise.withResolvers<void>();
    class Slow extends Site {
      override onStart() {
        return opened.promise;
      }
    }
    const log: string[] = [];
    const site = new Slow(log);
    site.mount("/inner", new Site(log, "inner"));
    const [started, response] = [site.start(), new TestClient(site).text("/inner")];
    expect(log).toEqual([]);
    opened.resolve();
    expect(await response).toBe("served");
    await started;
    expect(log).toEqual(["inner starts"]);
    expect(site.fetch(new Request("http://localhost/"))).toBeInstanceOf(Response);
  });

  test.each(FAILING)("that %s makes start() fail, and requests get 503", async (_, fail) => {
    using error = quiet("error");
    class Faulty extends Site {
      override onStart() {
        return fail(new Error("no database"));
      }
    }
    const site = new Faulty([]);
    expect((await new TestClient(site).send("/")).status).toBe(503);
    await expect(site.start()).rejects.toThrow("no database");
    expect(error).toHaveBeenCalledTimes(1);
    expect((await new TestClient(site).send("/")).status).toBe(503);
  });
});

describe("an app that is served", () => {
  test("start() fails for what looks like a page and cannot be one", async () => {
    class Mistaken extends App {
      get greet(): string {
        return "Hello.";
      }
    }
    await expect(new Mistaken().start()).rejects.toThrow("cannot be a page");
  });

  test("exits with 1 if it cannot start", async () => {
    using _error = quiet("error");
    using _info = quiet("info");
    const { promise: code, resolve } = Promise.withResolvers<unknown>();
    using _exit = spyOn(process, "exit").mockImplementation((status) => resolve(status) as never);
    class Faulty extends Site {
      override onStart() {
        return Promise.reject(new Error("no database"));
      }
    }
    const site = new Faulty([]);
    site.listen(0);
    expect(await code).toBe(1);
    await site.close();
  });

  test("exits if its port is in use and bun --hot would go on without it", async () => {
    using error = quiet("error");
    using _info = quiet("info");
    using exit = spyOn(process, "exit").mockImplementation(() => {
      throw new Error("exit");
    });
    const site = new Site([]);
    const { port = 0 } = site.listen(0);
    process.execArgv.push("--hot");
    try {
      expect(() => new Site([]).listen(port)).toThrow("exit");
    } finally {
      process.execArgv.pop();
    }
    expect(exit).toHaveBeenCalledWith(1);
    expect(error.mock.lastCall?.[0]).toStartWith(`Port ${port} is in use.`);
    await site.close();
  });
});

describe("close", () => {
  test("closes what the app owns, the last first, after background work", async () => {
    const log: string[] = [];
    class Owner extends Site {
      readonly #first = this.own("first", (name) => void log.push(`close ${name}`));
      readonly #second = this.own({ close: async () => void log.push("close second") });

      has() {
        return `${this.#first} ${typeof this.#second.close}`;
      }
    }
    const site = new Owner(log);
    const client = new TestClient(site);
    expect(await client.text("/has")).toBe("first function");
    await client.send("/later");
    await site.close();
    expect(log).toEqual(["app starts", "work done", "app stops", "close second", "close first"]);
  });

  test("continues if something fails, and says what", async () => {
    const log: string[] = [];
    const site = new Site(log);
    site.own("a", () => {
      throw new Error("a is stuck");
    });
    site.own("b", () => void log.push("close b"));
    site.own("c", () => Promise.reject(new Error("c is stuck")));
    await new TestClient(site).send("/");
    const error: unknown = await site.close().catch((each: unknown) => each);
    expect(log).toEqual(["app starts", "app stops", "close b"]);
    expect((error as AggregateError).errors.map(String)).toEqual([
      "Error: c is stuck",
      "Error: a is stuck",
    ]);
  });

  test("names all failures if several steps fail", async () => {
    class Stuck extends Site {
      override onStop() {
        throw new Error("cannot stop");
      }
    }
    const site = new Stuck([]);
    site.own("a", () => {
      throw new Error("a is stuck");
    });
    await new TestClient(site).send("/");
    await expect(site.close()).rejects.toThrow("The app failed to shut down cleanly.");
  });

  test("is final: a later request gets 503 and starts nothing", async () => {
    const log: string[] = [];
    const site = new Site(log);
    const client = new TestClient(site);
    await client.send("/");
    await site.close();
    const response = await client.send("/");
    expect([response.status, await response.text()]).toEqual([503, "This service has ended."]);
    await site.close();
    expect(log).toEqual(["app starts", "app stops"]);
  });

  describe("while the app is starting", () => {
    /** An app that starts when it is told to. */
    class Starting extends Site {
      readonly begun = Promise.withResolvers<void>();
      readonly opened = Promise.withResolvers<void>();
      readonly #log: string[];

      constructor(log: string[], shutdownTimeout?: number) {
        super(log, "app", shutdownTimeout === undefined ? {} : { shutdownTimeout });
        this.#log = log;
        this.own("database", () => void log.push("database closes"));
        this.mount("/inner", new Site(log, "inner"));
      }

      override async onStart() {
        this.begun.resolve();
        await this.opened.promise;
        this.#log.push("app starts");
      }
    }

    test.each(["by its server", "as a function"])(
      "waits until it has, and until its first requests are answered: served %s",
      async (how) => {
        using _info = quiet("info");
        const log: string[] = [];
        const site = new Starting(log);
        const request =
          how === "as a function"
            ? site.fetch(new Request("http://localhost/later"))
            : fetch(new URL("/later", site.listen(0).url));
        await site.begun.promise;
        const closing = site.close();
        await new Promise(setImmediate);
        expect(log).toEqual([]);
        site.opened.resolve();
        expect((await request).status).toBe(200);
        await closing;
        expect(log).toEqual([
          "app starts",
          "inner starts",
          "work done",
          "inner stops",
          "app stops",
          "database closes",
        ]);
        expect((await new TestClient(site).send("/")).status).toBe(503);
      },
    );

    test("waits for the start even if no request does", async () => {
      const log: string[] = [];
      const site = new Starting(log);
      const started = site.start();
      const closing = site.close();
      await new Promise(setImmediate);
      expect(log).toEqual([]);
      site.opened.resolve();
      await Promise.all([started, closing]);
      expect(log).toEqual([
        "app starts",
        "inner starts",
        "inner stops",
        "app stops",
        "database closes",
      ]);
    });

    test("ends it if that takes longer than `shutdownTimeout`, for good", async () => {
      using error = quiet("error");
      const log: string[] = [];
      const site = new Starting(log, 1);
      const request = site.fetch(new Request("http://localhost/"));
      await site.begun.promise;
      await site.close();
      expect(log).toEqual(["inner stops", "app stops", "database closes"]);
      site.opened.resolve();
      const late = [await request, await new TestClient(site).send("/")];
      for (const response of late) {
        expect([response.status, await response.text()]).toEqual([503, "This service has ended."]);
      }
      expect(log).toEqual(["inner stops", "app stops", "database closes", "app starts"]);
      await expect(site.start()).rejects.toThrow("The app was closed while it was starting.");
      expect(error).toHaveBeenCalledTimes(1);
    });

    test("does not exit the process if it ends before it has started", async () => {
      using error = quiet("error");
      using _info = quiet("info");
      using exit = spyOn(process, "exit").mockImplementation(() => undefined as never);
      const site = new Starting([], 1);
      site.listen(0);
      await site.begun.promise;
      await site.close();
      site.opened.reject(new Error("the database is closed"));
      await expect(site.start()).rejects.toThrow("the database is closed");
      expect(error).toHaveBeenCalledTimes(1);
      expect(exit).not.toHaveBeenCalled();
    });

    test("says so to requests that wait for a start that fails", async () => {
      using _error = quiet("error");
      const log: string[] = [];
      const site = new Starting(log);
      const request = site.fetch(new Request("http://localhost/"));
      await site.begun.promise;
      const closing = site.close();
      site.opened.reject(new Error("no database"));
      const response = await request;
      expect([response.status, await response.text()]).toEqual([
        503,
        "This service could not start.",
      ]);
      await closing;
      expect(log).toEqual(["inner stops", "app stops", "database closes"]);
    });
  });

  test("does not call onStop of an app that never started", async () => {
    const log: string[] = [];
    await new Site(log).close();
    expect(log).toEqual([]);
  });
});

describe("waitUntil", () => {
  test("reports work that fails", async () => {
    const log: string[] = [];
    const site = new Site(log);
    expect(await new TestClient(site).text("/failsLater")).toBe("sent");
    await site.close();
    expect(log).toContain("Error: no mail");
  });

  test("reports changes of the session that the work has not stored", async () => {
    const left = Promise.withResolvers<void>();
    const reports: unknown[] = [];
    class Own extends App<{ sent: number; tries: number }> {
      forgets() {
        this.waitUntil(this.#work((session) => (session.sent = 1)));
      }

      stores() {
        this.waitUntil(this.#work((session) => ((session.sent = 1), session.save())));
      }

      answers() {
        this.request.session.tries = 1;
        this.waitUntil(Promise.resolve());
      }

      async #work(write: (session: Session<{ sent: number; tries: number }>) => unknown) {
        await left.promise;
        await write(this.request.session);
      }

      override onReport(error: unknown) {
        reports.push(error);
      }
    }
    const site = new Own();
    const client = new TestClient(site);
    await client.send("/answers");
    await client.send("/stores");
    await client.send("/forgets");
    left.resolve();
    await site.close();
    expect(reports).toEqual([
      expect.objectContaining({
        message: expect.stringContaining("The session was changed after the response's headers"),
      }),
    ]);
  });

  test("refuses a function that was not called", async () => {
    using error = quiet("error");
    class Own extends App {
      index() {
        this.waitUntil((async () => {}) as never);
      }
    }
    expect((await new TestClient(new Own()).send("/")).status).toBe(500);
    expect(String(error.mock.lastCall?.[2])).toContain(
      "this.waitUntil() takes a promise: call the function, as in send().",
    );
  });
});
