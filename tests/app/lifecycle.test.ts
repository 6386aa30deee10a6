import { afterEach, beforeEach, describe, expect, spyOn, test } from "bun:test";
import { readdir, readlink } from "node:fs/promises";
import { join } from "node:path";
import { format } from "node:util";

import { App } from "bunpie";
import { SqliteSessionBackend } from "bunpie/sqlite";

import { READ_BY_BUN } from "../../src/app/pages.ts";
import { TestClient } from "../../src/testing/client.ts";
import { Connection } from "../support/connection.ts";
import { Folder } from "../support/folder.ts";
import { ServedApp } from "../support/processes/served-app.ts";
import { quiet } from "../support/quiet.ts";
import { head } from "../support/raw.ts";

const ROUTES = [
  "  /         GET, HEAD, POST, OPTIONS",
  "  /slow     GET, HEAD, POST, OPTIONS",
  "  /id       GET, HEAD, POST, OPTIONS",
  "  /baseURI  GET, HEAD, POST, OPTIONS",
  "",
].join("\n");

const PAGES = [
  ["/", "1"],
  ["/id", "id"],
  ["/baseURI", "baseURI"],
] as const;

/** The two ways to serve an app, and what each says first. */
const WAYS = [
  ["default-export.ts", "Started development server: "],
  ["listening.ts", "Service is at "],
] as const;

const WAYS_TO_CLOSE = ["own-close-default-export.ts", "own-close-listening.ts"] as const;

const SIGNALS = ["SIGTERM", "SIGINT"] as const;

let folder: Folder;
let info: ReturnType<typeof quiet>;

beforeEach(() => {
  folder = new Folder();
  info = quiet("info");
});

afterEach(() => {
  folder.remove();
  info[Symbol.dispose]();
});

/** What was said of the requests that a shutdown waits for. */
function readWaiting(): string[] {
  return info.mock.calls
    .map((call) => format(...call))
    .filter((line) => line.startsWith("Waiting"));
}

/** Resolves once nobody listens at the address any more. Sends no request: a service goes on while some arrive. */
async function isGone(url: URL): Promise<void> {
  for (;;) {
    try {
      (await Connection.open(Number(url.port))).close();
    } catch {
      return;
    }
  }
}

/** How many of a process's open files are this one. */
async function openFiles(child: ServedApp, path: string): Promise<number> {
  const fds = `/proc/${child.process.pid}/fd`;
  const links = (await readdir(fds)).map((name) => readlink(join(fds, name)).catch(() => ""));
  return (await Promise.all(links)).filter((link) => link === path).length;
}

/** The app in a folder where it can be changed; `reload` changes it and waits for the reload. */
async function hot(file: string, env: Record<string, string> = {}) {
  const sources = new Map<string, string>();
  for (const name of ["service.ts", file]) {
    const text = await Bun.file(join(import.meta.dir, "../fixtures", name)).text();
    const source = text.replaceAll(/"bunpie(?:\/\w+)?"/g, (name_) =>
      JSON.stringify(import.meta.resolve(JSON.parse(name_) as string)),
    );
    sources.set(name, source);
    await Bun.write(folder.file(name), source);
  }
  const child = new ServedApp(folder.file(file), { env, flags: ["--hot"] });
  const url = await child.url();
  await child.message("revision 1");
  const reload = async (revision: number): Promise<void> => {
    const source = `${sources.get("service.ts")}// Revision ${revision}\n`;
    await Bun.write(folder.file("service.ts"), source);
    await child.message(`revision ${revision}`);
  };
  return {
    child,
    reload,
    client: new TestClient({
      fetch: async (request) => {
        const { pathname } = new URL(request.url);
        return fetch(new URL(pathname, url), { headers: request.headers });
      },
    }),
  };
}

describe.each(WAYS)("a process of %s", (file, greeting) => {
  test("serves the app, and says where and what", async () => {
    await using child = new ServedApp(file);
    const url = await child.url();
    for (const [path, body] of PAGES) {
      expect(await (await fetch(new URL(path, url))).text()).toBe(body);
    }
    expect(child.output).toStartWith(greeting);
    expect(child.output).toEndWith(ROUTES);
    expect(child.errors).toBe("");
  });

  test.each(SIGNALS)("ends on %s after it has answered the request in progress", async (signal) => {
    await using child = new ServedApp(file, { env: { DATABASE: folder.file("sessions.db") } });
    const url = await child.url();
    const response = fetch(new URL("/slow", url));
    await child.message("slow");
    child.process.kill(signal);
    await isGone(url);
    child.process.send("go on");
    expect((await response).status).toBe(200);
    expect(await (await response).text()).toBe("1");
    expect(await child.ended()).toBe(0);
    expect(child.errors).toBe("");
    expect(await readdir(folder.path)).toEqual(["sessions.db"]);
  });

  test("ends at once on a second signal", async () => {
    await using child = new ServedApp(file);
    const url = await child.url();
    const response = fetch(new URL("/slow", url)).catch(() => "cut off");
    await child.message("slow");
    child.process.kill("SIGTERM");
    await isGone(url);
    child.process.kill("SIGTERM");
    expect(await child.ended()).toBe("SIGTERM");
    expect(await response).toBe("cut off");
  });

  test.each([
    [1, "Waiting up to 10 s for a request. Press Ctrl-C again to exit at once."],
    [2, "Waiting up to 10 s for 2 requests. Press Ctrl-C again to exit at once."],
  ])("says at a terminal what its shutdown waits for: %p in progress", async (count, line) => {
    let output = "";
    let news = Promise.withResolvers<void>();
    let begun = 0;
    const tell = (): void => {
      news.resolve();
      news = Promise.withResolvers();
    };
    const until = async (condition: () => boolean): Promise<void> => {
      while (!condition()) await news.promise;
    };
    const child = Bun.spawn([process.execPath, "run", join(import.meta.dir, "../fixtures", file)], {
      terminal: {
        cols: 200,
        rows: 50,
        data(_terminal, bytes) {
          output += new TextDecoder().decode(bytes);
          tell();
        },
      },
      ipc: (message) => {
        if (message === "slow") begun += 1;
        tell();
      },
    });
    await until(() => /http:\S+\s/.test(output));
    const url = new URL("/slow", /http:\S+/.exec(Bun.stripANSI(output))?.[0]);
    const responses = Array.from({ length: count }, () => fetch(url).catch(() => "cut off"));
    await until(() => begun === count);
    child.terminal?.write("\u0003");
    await until(() => output.includes(line));
    child.terminal?.write("\u0003");
    await child.exited;
    expect(child.signalCode).toBe("SIGINT");
    expect(await Promise.all(responses)).toEqual(Array.from({ length: count }, () => "cut off"));
    child.terminal?.close();
  });

  test("ends at once when no request is in progress", async () => {
    await using child = new ServedApp(file);
    await child.url();
    child.process.kill("SIGTERM");
    expect(await child.ended()).toBe(0);
  });

  describe("under bun --hot", () => {
    test("keeps sessions in memory", async () => {
      const { child, reload, client } = await hot(file);
      await using _child = child;
      expect(await client.text("/")).toBe("1");
      await reload(2);
      expect(await client.text("/")).toBe("2");
      await reload(3);
      expect(await client.text("/")).toBe("3");
    });

    test("finishes requests in progress, and stores their sessions", async () => {
      const path = folder.file("sessions.db");
      const { child, reload, client } = await hot(file, { DATABASE: path });
      await using _child = child;
      expect(await client.text("/")).toBe("1");
      const slow = client.send("/slow");
      await child.message("slow");
      await reload(2);
      child.process.send("go on");
      expect(await (await slow).text()).toBe("2");
      expect(await client.text("/")).toBe("3");
    });

    test.skipIf(process.platform !== "linux")("releases the database", async () => {
      const path = folder.file("sessions.db");
      const { child, reload, client } = await hot(file, { DATABASE: path });
      await using _child = child;
      for (let revision = 2; revision <= 6; revision++) {
        await client.text("/");
        await reload(revision);
      }
      expect(await client.text("/")).toBe("6");
      // SQLite keeps the file of a closed connection open while another is in use, and takes it for
      // the next: so there are two, and no more.
      while ((await openFiles(child, path)) > 2) await Bun.sleep(1);
      child.process.kill("SIGTERM");
      expect(await child.ended()).toBe(0);
    });
  });
});

describe("a process", () => {
  test("listens on the port in its environment by default", async () => {
    await using child = new ServedApp("listening-by-default.ts", { env: { PORT: "0" } });
    expect((await child.url()).port).not.toBe("3000");
  });

  test("keeps its default signal handling after an app that was closed and never served", async () => {
    await using child = new ServedApp("closed-unserved.ts");
    expect(await child.ended()).toBe(0);
    expect(child.output).toBe("SIGTERM 0, SIGINT 0\n");
  });

  test("leaves its end to another listener for the signal, if there is one", async () => {
    await using child = new ServedApp("with-own-signals.ts");
    await child.url();
    child.process.kill("SIGTERM");
    await child.message("asked to end");
    await child.message("sessions closed");
    child.process.send("end");
    expect(await child.ended()).toBe(7);
  });

  test("waits for an app without a server of its own that another listener closes", async () => {
    await using child = new ServedApp("own-close-unserved.ts");
    await child.url();
    child.process.kill("SIGTERM");
    expect(await child.ended()).toBe(0);
    expect(child.output).toEndWith("stopped\n");
  });

  test("exits with 1, and says why, if the backend cannot be closed", async () => {
    await using child = new ServedApp("unclosable.ts");
    await child.url();
    child.process.kill("SIGTERM");
    expect(await child.ended()).toBe(1);
    expect(child.errors).toContain("Shutting down failed:");
    expect(child.errors).toContain("The disk is gone.");
  });

  test("exits with 1, and says why, if the app cannot start", async () => {
    await using child = new ServedApp("cannot-start.ts");
    expect(await child.ended()).toBe(1);
    expect(child.errors).toContain("The app could not start:");
    expect(child.errors).toContain("no database");
  });
});

describe.each(
  WAYS_TO_CLOSE.flatMap((file) =>
    ["on, early", "on, late", "once, early", "once, late"].map((how) => [file, how] as const),
  ),
)(
  "a process of %s whose own listener for the signal, added by %s, closes the app",
  (file, listener) => {
    test("ends after the requests in progress, onStop and what that listener does", async () => {
      await using child = new ServedApp(file, { env: { LISTENER: listener } });
      const url = await child.url();
      await child.message("started");
      const slow = fetch(new URL("/slow", url)).then(
        (response) => response.text(),
        () => "cut off",
      );
      await child.message("slow");
      const download = await Connection.open(Number(url.port));
      download.pause();
      download.send(head("GET /large HTTP/1.1"));
      await child.message("large");
      child.process.kill("SIGTERM");
      await isGone(url);
      child.process.send("go on");
      expect(await slow).toBe("slow");
      download.resume();
      expect((await download.answer())?.body.length).toBe(20_000_000);
      expect(await child.ended()).toBe(0);
      expect(child.output).toEndWith("stopped\nclosed\nown work done\n");
      expect(child.errors).toBe("");
    });
  },
);

test.each(WAYS_TO_CLOSE)(
  "a process of %s ends once `shutdownTimeout` has passed after it was closed by a listener for one signal",
  async (file) => {
    const env = { LISTENER: "once, early", KEEP_ALIVE: "1", SHUTDOWN_TIMEOUT: "1000" };
    await using child = new ServedApp(file, { env });
    await child.url();
    await child.message("started");
    child.process.kill("SIGTERM");
    expect(await child.ended()).toBe(0);
    expect(child.output).toEndWith("stopped\nclosed\nown work done\n");
  },
);

describe("READ_BY_BUN", () => {
  // Bun reads these too, and a page of the name does no harm: see above.
  const HARMLESS = new Set(["id", "baseURI"]);

  test("has every name that Bun reads from a default export, except those that every App has", async () => {
    await using child = new ServedApp("read-by-bun.ts");
    expect(await child.ended()).toBe(0);
    const names = JSON.parse(child.output.split("\n").at(-1) ?? "") as string[];
    expect(names).toContain("fetch");
    expect(names).toContain("routes");
    expect(
      names.filter(
        (name) => !READ_BY_BUN.has(name) && !(name in App.prototype) && !HARMLESS.has(name),
      ),
    ).toEqual([]);
  });
});

class Slow extends App<{ visits: number }> {
  readonly begun = Promise.withResolvers<void>();
  readonly released = Promise.withResolvers<void>();

  index() {
    return "there";
  }

  async slow() {
    this.request.session.visits = 1;
    this.begun.resolve();
    await this.released.promise;
    return "done";
  }
}

describe("listen", () => {
  test.each([
    ["a port", 0],
    ["a port in options", { port: 0 }],
    ["a port and a host", { port: 0, hostname: "127.0.0.1" }],
  ])("accepts %s", async (_, options) => {
    const app = new Slow();
    const { url } = app.listen(options);
    expect(await (await fetch(url)).text()).toBe("there");
    expect(info.mock.calls[0]).toEqual([`Slow is at ${url.href}`]);
    await app.close();
  });

  test("accepts a port as a string, as in the environment", async () => {
    const app = new Slow();
    expect(app.listen("0").port).toBeGreaterThan(0);
    await app.close();
  });

  test("refuses to serve an app twice, or one that is the default export", async () => {
    const [app, exported] = [new Slow(), new Slow()];
    app.listen(0);
    void exported.maxRequestBodySize;
    for (const each of [app, exported]) {
      expect(() => each.listen(0)).toThrow("This app is already being served.");
    }
    expect(() => app.maxRequestBodySize).toThrow("This app is already being served.");
    await app.close();
    await exported.close();
  });

  test("says what to do if the port is in use", async () => {
    const [first, second] = [new Slow(), new Slow()];
    const { port = 0 } = first.listen(0);
    expect(() => second.listen(port)).toThrow(
      new Error(
        `Port ${port} is in use. Stop the program that listens there, or choose another port: PORT=${port + 1} bun run …`,
      ),
    );
    await first.close();
  });

  test("accepts the path of a Unix socket", async () => {
    const app = new Slow();
    const unix = folder.file("app.sock");
    app.listen({ unix });
    expect(await (await fetch("http://localhost/", { unix })).text()).toBe("there");
    await app.close();
  });

  test("refuses a page with a reserved name before it serves", () => {
    class Taken extends App {
      port() {
        return "";
      }
    }
    expect(() => new Taken().listen(0)).toThrow('A page cannot be called "port"');
    expect(info).not.toHaveBeenCalled();
  });
});

describe("close", () => {
  test("accepts no new requests, and lets those in progress finish and store", async () => {
    const path = folder.file("sessions.db");
    const app = new Slow({ sessionBackend: new SqliteSessionBackend(path) });
    const { url } = app.listen(0);
    const response = fetch(new URL("/slow", url));
    await app.begun.promise;
    let closed = false;
    const closing = app.close().then(() => (closed = true));
    await isGone(url);
    expect(closed).toBe(false);
    app.released.resolve();
    const { status, headers } = await response;
    expect(status).toBe(200);
    await closing;
    const cookie = headers.get("set-cookie")?.split(";")[0] ?? "";
    const later = new Slow({ sessionBackend: new SqliteSessionBackend(path) });
    const open = await later.sessions.open(new Request("http://x/", { headers: { cookie } }));
    expect(open.session.visits).toBe(1);
    await later.close();
  });

  test("closes connections with their next response, so that no client sends another request there", async () => {
    const app = new Slow();
    const server = app.listen(0);
    const open = (): Promise<Connection> => Connection.open(Number(server.port));
    const [busy, waiting, lost] = [await open(), await open(), await open()];
    for (const connection of [busy, waiting, lost]) {
      connection.send(head("GET / HTTP/1.1", { connection: "keep-alive" }));
      expect((await connection.answer())?.headers.get("connection")).not.toBe("close");
    }
    busy.send(head("GET /slow HTTP/1.1", { connection: "keep-alive" }));
    await app.begun.promise;
    const closing = app.close();
    waiting.send(head("GET / HTTP/1.1", { connection: "keep-alive" }));
    lost.send(head("GET /nothing HTTP/1.1", { connection: "keep-alive" }));
    app.released.resolve();
    for (const [connection, status] of [
      [busy, 200],
      [waiting, 200],
      [lost, 404],
    ] as const) {
      const answer = await connection.answer();
      expect(answer?.status).toBe(status);
      expect(answer?.headers.get("connection")).toBe("close");
      await connection.closed();
    }
    await closing;
  });

  test("still answers what arrived while it was too busy to read", async () => {
    const app = new Slow();
    const connection = await Connection.open(Number(app.listen(0).port));
    connection.send(head("GET / HTTP/1.1", { connection: "keep-alive" }));
    await connection.answer();
    const closing = app.close();
    connection.send(head("GET / HTTP/1.1", { connection: "keep-alive" }));
    // Longer than the service waits for requests: its timer is due before it can read this one.
    Bun.sleepSync(300);
    expect((await connection.answer())?.status).toBe(200);
    await closing;
  });

  test("cuts off a request that takes longer than `shutdownTimeout`", async () => {
    const app = new Slow({ shutdownTimeout: 1 });
    const response = fetch(new URL("/slow", app.listen(0).url)).catch(() => "cut off");
    await app.begun.promise;
    await app.close();
    expect(await response).toBe("cut off");
  });

  test("waits for a request if `shutdownTimeout` is longer than a timer can be", async () => {
    const app = new Slow({ shutdownTimeout: 2 ** 40 });
    const { url } = app.listen(0);
    const response = fetch(new URL("/slow", url)).catch(() => undefined);
    await app.begun.promise;
    const closing = app.close();
    await isGone(url);
    app.released.resolve();
    expect((await response)?.status).toBe(200);
    await closing;
  });

  test("lets a request that it cuts off clean up before the app ends", async () => {
    const begun = Promise.withResolvers<void>();
    const files: string[][] = [];
    class Uploads extends App {
      upload = {
        POST: async () => {
          for await (const part of this.request.parts()) {
            await part.save(folder.file(part.filename), { onProgress: () => begun.resolve() });
          }
        },
      };
      override async onStop() {
        files.push(await readdir(folder.path));
      }
    }
    const app = new Uploads({ shutdownTimeout: 1 });
    const connection = await Connection.open(Number(app.listen(0).port));
    const type = "multipart/form-data; boundary=x";
    connection.send(
      head("POST /upload HTTP/1.1", { "content-type": type, "content-length": "100000" }) +
        '--x\r\nContent-Disposition: form-data; name="f"; filename="a.bin"\r\n\r\n' +
        "x".repeat(50_000),
    );
    await begun.promise;
    expect(await readdir(folder.path)).toEqual([expect.stringMatching(/^\.upload-/)]);
    await app.close();
    expect(files).toEqual([[]]);
  });

  test("cuts off a client that has sent half a request head after `shutdownTimeout`", async () => {
    const app = new Slow({ shutdownTimeout: 1 });
    const connection = await Connection.open(Number(app.listen(0).port));
    connection.send(head("GET / HTTP/1.1", { connection: "keep-alive" }));
    await connection.answer();
    connection.send("GET / HTTP/1.1\r\nhost: lo");
    await app.close();
    expect(await connection.answer()).toBeUndefined();
  });

  test("can be called again, and on an app that is not served", async () => {
    const app = new Slow();
    app.listen(0);
    await app.close();
    await app.close();
    await new Slow().close();
  });

  test("waits for the same end at every call, and cuts nothing off", async () => {
    let stops = 0;
    class Large extends Slow {
      large() {
        return new Uint8Array(20_000_000);
      }
      override onStop() {
        stops += 1;
      }
    }
    const app = new Large();
    const { url } = app.listen(0);
    const slow = fetch(new URL("/slow", url)).then((response) => response.text());
    await app.begun.promise;
    const download = await Connection.open(Number(url.port));
    download.pause();
    download.send(head("GET /large HTTP/1.1"));
    const closings = [app.close(), app.close()];
    await isGone(url);
    closings.push(app.close());
    app.released.resolve();
    expect(await slow).toBe("done");
    closings.push(app.close());
    download.resume();
    expect((await download.answer())?.body.length).toBe(20_000_000);
    await Promise.all(closings);
    expect(stops).toBe(1);
  });

  test("waits for requests in progress at every call if the app's server is another's", async () => {
    const app = new Slow();
    const response = Promise.resolve(app.fetch(new Request("http://localhost/slow")));
    await app.begun.promise;
    const closings = [app.close(), app.close(), app.close()];
    let closed = 0;
    for (const closing of closings) void closing.then(() => (closed += 1));
    await new Promise(setImmediate);
    expect(closed).toBe(0);
    app.released.resolve();
    expect((await response).status).toBe(200);
    await Promise.all(closings);
  });

  test.each([
    [true, ["Waiting up to 10 s for a request. Press Ctrl-C again to exit at once."]],
    [undefined, []],
  ])("says what it waits for if standard output is a terminal: %p", async (isTTY, lines) => {
    const { stdout } = process;
    const before = Object.getOwnPropertyDescriptor(stdout, "isTTY");
    Object.defineProperty(stdout, "isTTY", { value: isTTY, configurable: true, writable: true });
    const app = new Slow();
    const response = fetch(new URL("slow", app.listen(0).url));
    await app.begun.promise;
    const isClosed = app.close();
    while (readWaiting().length < lines.length) await new Promise(setImmediate);
    app.released.resolve();
    await response;
    await isClosed;
    if (before === undefined) Reflect.deleteProperty(stdout, "isTTY");
    else Object.defineProperty(stdout, "isTTY", before);
    expect(readWaiting()).toEqual(lines);
  });

  test("closes the backend", async () => {
    const backend = new SqliteSessionBackend(folder.file("sessions.db"));
    await new App({ sessionBackend: backend }).close();
    await expect(backend.delete("id")).rejects.toThrow("The session database is closed.");
  });
});

const noop = (): void => undefined;

describe("a signal", () => {
  test("closes every app that is being served, each once", async () => {
    process.on("SIGTERM", noop);
    const closed: string[] = [];
    const createBackend = (name: string): SqliteSessionBackend => {
      const backend = new SqliteSessionBackend(":memory:");
      const close = backend.close.bind(backend);
      backend.close = async () => {
        closed.push(name);
        await close();
      };
      return backend;
    };
    const [first, second, third] = ["first", "second", "third"].map(
      (name) => new Slow({ sessionBackend: createBackend(name) }),
    );
    first?.listen(0);
    second?.listen(0);
    third?.listen(0);
    await third?.close();
    process.emit("SIGTERM", "SIGTERM");
    while (closed.length < 3) await new Promise(setImmediate);
    process.off("SIGTERM", noop);
    expect(closed).toEqual(["third", "first", "second"]);
  });

  test.each([
    ["nothing fails", 0, [] as string[]],
    ["something fails", 1, ["cannot stop"]],
  ])(
    "after which the app's own code has work to do ends the process later: %s",
    async (_, code, messages) => {
      using _info = quiet("info");
      using error = quiet("error");
      const { promise: exited, resolve } = Promise.withResolvers<void>();
      using exit = spyOn(process, "exit").mockImplementation(() => resolve() as never);
      class Stoppable extends App {
        override onStop() {
          for (const message of messages) throw new Error(message);
        }
      }
      // The first app that is served adds the listeners, and the first signal removes them.
      process.removeAllListeners("SIGTERM");
      Reflect.deleteProperty(globalThis, Symbol.for("bunpie.services"));
      const app = new Stoppable({ shutdownTimeout: 1 });
      app.listen(0);
      process.emit("SIGTERM", "SIGTERM");
      const failure = await app.close().catch((reason: unknown) => reason);
      expect(exit).not.toHaveBeenCalled();
      await exited;
      expect(exit.mock.calls).toEqual([[]]);
      expect(process.exitCode ?? 0).toBe(code);
      process.exitCode = 0;
      expect(error.mock.calls).toEqual(
        failure === undefined ? [] : [["Shutting down failed:", failure]],
      );
      expect(failure === undefined ? [] : [(failure as Error).message]).toEqual(messages);
    },
  );
});

test("the app from before a reload keeps its database until its requests are answered", async () => {
  const backend = new SqliteSessionBackend(":memory:");
  const begun = Promise.withResolvers<void>();
  const go = Promise.withResolvers<void>();
  class Waiting extends App {
    async index() {
      begun.resolve();
      await go.promise;
      this.request.session.paid = true;
      return "paid";
    }
  }
  const former = new Waiting({ sessionBackend: backend });
  void former.maxRequestBodySize;
  const response = former.fetch(new Request("http://localhost/"));
  await begun.promise;
  const next = new App();
  void next.maxRequestBodySize;
  expect(await isOpen(backend)).toBe(true);
  go.resolve();
  expect((await response).headers.getSetCookie()).toHaveLength(1);
  while (await isOpen(backend)) await Bun.sleep(1);
  await next.close();
});

async function isOpen(backend: SqliteSessionBackend): Promise<boolean> {
  try {
    await backend.delete("id");
    return true;
  } catch {
    return false;
  }
}

describe("maxRequestBodySize", () => {
  test("is the app's limit, and makes the app start as Bun's default export", async () => {
    const app = new Slow({ maxBodyBytes: 77 });
    await app.fetch(new Request("http://localhost/"));
    expect(app.maxRequestBodySize).toBe(77);
    while (info.mock.calls.length === 0) await Bun.sleep(1);
    expect(info.mock.calls).toEqual([
      ["  /      GET, HEAD, POST, OPTIONS\n  /slow  GET, HEAD, POST, OPTIONS"],
    ]);
    await app.close();
  });

  test("logs why the app that Bun served before a reload could not be closed", async () => {
    using _info = quiet("info");
    using error = quiet("error");
    const logged = Promise.withResolvers<unknown>();
    error.mockImplementation((_line, reason) => logged.resolve(reason));
    class Stuck extends App {
      override onStop() {
        throw new Error("cannot stop");
      }
    }
    const former = new Stuck({ sessionBackend: new SqliteSessionBackend(":memory:") });
    const next = new App();
    void former.maxRequestBodySize;
    void next.maxRequestBodySize;
    expect(await logged.promise).toEqual(new Error("cannot stop"));
    expect(error.mock.lastCall?.[0]).toBe("Shutting down failed:");
    await next.close();
  });

  test("closes the app that Bun served before a reload, but not a backend in use", async () => {
    const shared = new SqliteSessionBackend(":memory:");
    const own = new SqliteSessionBackend(":memory:");
    const apps = [shared, shared, own].map((sessionBackend) => new App({ sessionBackend }));
    const [first, second, third] = apps.map((app) => () => app.maxRequestBodySize);
    first?.();
    second?.();
    await shared.delete("id");
    third?.();
    while (await isOpen(shared)) await Bun.sleep(1);
    await own.delete("id");
    for (const app of apps) await app.close();
  });
});
