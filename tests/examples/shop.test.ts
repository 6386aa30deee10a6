import { afterAll, describe, expect, test } from "bun:test";

import { parseBackendName } from "../../examples/shop/backends.ts";
import { priceLines } from "../../examples/shop/cart.ts";
import { openDatabase } from "../../examples/shop/database.ts";
import { describeDevice } from "../../examples/shop/device.ts";
import { ExpiringMap } from "../../examples/shop/expiring-map.ts";
import { Activity } from "../../examples/shop/observe/activity.ts";
import { describeEvent } from "../../examples/shop/observe/describe-event.ts";
import type { CrashTrial } from "../../examples/shop/proofs/crash.ts";
import { runCrash } from "../../examples/shop/proofs/crash.ts";
import { Shop } from "../../examples/shop/shop.ts";
import { formatDistance, formatDuration } from "../../examples/shop/views/format.ts";
import { figures } from "../../examples/shop/views/live.ts";
import { SqliteSessionBackend } from "../../src/backends/sqlite/backend.ts";
import type { SessionEvent, SessionStore } from "../../src/index.ts";
import { HttpError, InMemorySessionBackend } from "../../src/index.ts";
import { TestClient } from "../../src/testing/client.ts";
import { FakeClock } from "../support/clock.ts";
import { Folder } from "../support/folder.ts";
import { quiet } from "../support/quiet.ts";
import { exchange, head, readStatuses } from "../support/raw.ts";
import { serve } from "../support/serve.ts";

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const ANN = { login: "ann", password: "flaky pastry" };
const BEN = { login: "ben", password: "buttery crust" };
const FIREFOX = "Mozilla/5.0 (Windows NT 10.0; rv:140.0) Gecko/20100101 Firefox/140.0";
const FORMS = [
  "/cart",
  "/add",
  "/order",
  "/login",
  "/signup",
  "/logout",
  "/join/x",
  "/chat",
  "/proofs/race",
  "/proofs/crash",
  "/proofs/other",
  "/account/end",
  "/account/others",
  "/account/all",
];
const LOGIN_FOR_ACCOUNT = "/login?returnTo=%2Faccount";
const ENDED = "You were signed out, or your session has expired.";
const BROWSER = { accept: "text/html", "user-agent": FIREFOX };

const folder = new Folder();
afterAll(() => folder.remove());

function makeShop(
  store: SessionStore,
  clock = new FakeClock(),
  crash: CrashTrial | string = "Not here.",
): Shop {
  const { now } = clock;
  const db = openDatabase(":memory:");
  return new Shop(store, { db, backendName: "memory", crash, now }, { now });
}

/** A browser: it wants pages, and says what it is. */
class Visitor extends TestClient {
  override send(path: string, init: RequestInit = {}): Promise<Response> {
    const headers = { ...BROWSER, ...new Headers(init.headers).toJSON() };
    return super.send(path, { ...init, headers });
  }
}

function openShop(crash?: CrashTrial): { shop: Shop; clock: FakeClock; visit: () => Visitor } {
  const clock = new FakeClock();
  const shop = makeShop(new InMemorySessionBackend({ now: clock.now }), clock, crash);
  return { shop, clock, visit: () => new Visitor(shop) };
}

/** Sends a form and follows the redirect, as a browser does. Returns the page that it leads to. */
async function submit(
  client: TestClient,
  path: string,
  fields: Record<string, string> = {},
): Promise<{ path: string; page: string; notice: string | undefined }> {
  const response = await client.post(path, fields);
  expect(response.status).toBe(303);
  const location = response.headers.get("location") ?? "";
  const page = await client.text(location.replace(/#.*/, "")); // which browsers do not send
  return { path: location, page, notice: noticeIn(page) };
}

async function logIn<Client extends TestClient>(
  client: Client,
  fields: Record<string, string> = ANN,
): Promise<Client> {
  expect((await submit(client, "/login", fields)).notice).toStartWith("Welcome");
  return client;
}

async function isLoggedIn(client: TestClient): Promise<boolean> {
  return (await client.text("/cart")).includes("Log out");
}

function noticeIn(page: string): string | undefined {
  return /class="notice[^>]*>\s*([^<]*?)\s*</.exec(page)?.[1];
}

/** What the cart's page shows: how many of each pie, and the total. */
async function readCart(
  client: TestClient,
): Promise<{ pies: Record<string, number>; total?: string }> {
  const page = await client.text("/cart");
  const lines = page.matchAll(/class="card pie (\w+)"[^]*?value="(\d+)"\s+required/g);
  const pies = Object.fromEntries([...lines].map(([, pie, count]) => [pie, Number(count)]));
  const total = /Total <strong[^>]*>([^<]*)</.exec(page)?.[1];
  return total === undefined ? { pies } : { pies, total };
}

/** The handles of the sessions that a page offers to end. */
async function readHandles(client: TestClient, path = "/account"): Promise<string[]> {
  const page = await client.text(path);
  return [...page.matchAll(/name="handle" value="([^"]+)"/g)].map(([, handle]) => String(handle));
}

describe("Shop", () => {
  test("stores nothing and sets no cookie for a visitor who only reads", async () => {
    const client = openShop().visit();
    for (const path of ["/", "/cart", "/login", "/signup", "/chat", "/live"]) {
      const response = await client.send(path);
      expect(response.headers.getSetCookie()).toEqual([]);
      expect(await response.text()).toContain("stored nothing");
    }
  });

  test.each(["/", "/cart", "/login", "/account/ended/x", "/nothing"])(
    "keeps %s out of caches, and foreign scripts out of it",
    async (path) => {
      const response = await openShop().visit().send(path);
      expect(response.headers.get("cache-control")).toBe("no-store");
      expect(response.headers.get("content-security-policy")).toContain("script-src 'self'");
      expect(await response.text()).not.toMatch(/<script>|<style|\sstyle=|\son\w+=/);
    },
  );

  test("answers a request whose Host is no valid URL", async () => {
    await using server = serve(openShop().shop);
    const answer = await exchange(server.port, head("GET / HTTP/1.1", { host: "a b" }));
    expect(readStatuses(answer)).toEqual([200]);
  });

  test.each([
    ["style sheet", /rel="stylesheet" href="([^"]+)"/, "text/css;charset=utf-8"],
    ["script", /<script type="module" src="([^"]+)"/, "text/javascript;charset=utf-8"],
    ["icon", /rel="icon" href="([^"]+)"/, "image/svg+xml"],
  ])("serves its %s without a session", async (_, link, type) => {
    const client = openShop().visit();
    const path = link.exec(await client.text("/login"))?.[1] ?? "";
    const { headers, status } = await client.send(path);
    expect(status).toBe(200);
    expect(headers.get("content-type")).toBe(type);
    expect(headers.get("vary")).toBeNull();
  });

  test.each(FORMS)("X2: refuses a form that another site sends to %s", async (path) => {
    const { visit } = openShop();
    const foreign = [{ "sec-fetch-site": "cross-site" }, { origin: "https://evil.example" }];
    for (const headers of foreign) {
      const response = await visit().send(path, { method: "POST", headers });
      expect(response.status).toBe(403);
      expect(response.headers.getSetCookie()).toEqual([]);
    }
  });

  test.each(FORMS.filter((path) => !/cart|order|login|signup|join|chat/.test(path)))(
    "changes nothing on GET %s",
    async (path) => {
      expect((await openShop().visit().send(path)).status).toBe(405);
    },
  );

  test("refuses a form that is too large, and a body that is no form", async () => {
    const { visit } = openShop();
    const large = await visit().post("/login", { login: "a".repeat(20_000) });
    const json = await visit().send("/cart", {
      method: "POST",
      body: "{}",
      headers: { "content-type": "application/json" },
    });
    expect([large.status, json.status]).toEqual([413, 415]);
  });

  test("keeps login and cart through a restart", async () => {
    const path = folder.file("restart.db");
    const before = makeShop(new SqliteSessionBackend(path));
    const client = await logIn(new Visitor(before));
    await submit(client, "/add", { product: "lime" });
    await before.close();

    const after = makeShop(new SqliteSessionBackend(path));
    const returning = client.clone(after);
    expect(await isLoggedIn(returning)).toBe(true);
    expect(await readCart(returning)).toEqual({ pies: { lime: 1 }, total: "€19.50" });
    await after.close();
  });

  test("shows on each page what the form before it stored", async () => {
    const client = openShop().visit();
    const { page } = await submit(client, "/add", { product: "lime" });
    expect(page).toMatch(/POST \/add<\/dt>\s*<dd>stored 42 bytes, set the cookie/);
    expect(await client.text("/cart")).toMatch(
      /GET \/cart<\/dt>\s*<dd>stored nothing, set no cookie/,
    );
  });
});

describe("error pages", () => {
  class Broken extends Shop {
    broken(): never {
      throw new Error("A bug.");
    }

    late = {
      POST: async (): Promise<never> => {
        this.request.session.isTold = true;
        await this.request.session.save();
        throw new HttpError(409, "Too late.");
      },
    };
  }

  function openBroken(): Shop {
    const db = openDatabase(":memory:");
    const facts = { db, backendName: "memory", crash: "Not here.", now: Date.now };
    return new Broken(new InMemorySessionBackend(), facts);
  }

  test.each([
    [404, "GET", "/nothing", "No such page"],
    [404, "GET", "/account/nothing", "No such page"],
    [405, "GET", "/add", "Not allowed here"],
    [405, "DELETE", "/cart", "Not allowed here"],
    [403, "POST", "/add", "Request refused"],
    [410, "GET", "/join/used", "That did not work"],
    [500, "GET", "/broken", "Something went wrong"],
  ])("look like the shop: %d for %s %s", async (status, method, path, title) => {
    using _ = quiet("error");
    const headers = method === "POST" ? { "sec-fetch-site": "cross-site" } : {};
    const response = await new Visitor(openBroken()).send(path, { method, headers });
    const page = await response.text();
    expect(response.status).toBe(status);
    expect(page).toContain(`<h1>${title}</h1>`);
    expect(page).toContain("/assets/style.css");
    expect(page).not.toContain("A bug.");
    expect(response.headers.get("allow") !== null).toBe(status === 405);
  });

  test("look like the shop while the store is down", async () => {
    using _ = quiet("error");
    const store = new InMemorySessionBackend();
    const client = await logIn(new Visitor(makeShop(store)));
    store.read = () => {
      throw new Error("Down.");
    };
    const response = await client.send("/cart");
    const page = await response.text();
    expect(response.status).toBe(503);
    expect(page).toContain("<h1>Back in a moment</h1>");
    expect(page).not.toContain("logged in"); // which nobody knows now
    expect(page).not.toContain("Behind this page");
  });

  test("show who is logged in, if that is known", async () => {
    const client = await logIn(openShop().visit());
    expect(await client.text("/nothing")).toContain("Log out");
  });

  test("show what the request did to the session", async () => {
    const client = new Visitor(openBroken());
    expect(await client.text("/nothing")).toMatch(
      /GET \/nothing<\/dt>\s*<dd>stored nothing, set no cookie/,
    );
    expect(await (await client.post("/late")).text()).toMatch(
      /POST \/late<\/dt>\s*<dd>stored 15 bytes, set the cookie/,
    );
  });

  test("are sent to programs in their own format", async () => {
    const client = openShop().visit();
    const response = await client.send("/nothing", { headers: { accept: "application/json" } });
    expect(response.headers.get("content-type")).toBe("application/problem+json");
  });
});

describe("the cart", () => {
  test("adds up its contents, and leads back to the same pie", async () => {
    const client = openShop().visit();
    for (const product of ["apple", "pecan", "pecan"]) {
      const { path, notice } = await submit(client, "/add", { product });
      expect(path).toBe(`/#${product}`);
      expect(notice).toEndWith("is in your cart.");
    }
    expect(await readCart(client)).toEqual({ pies: { apple: 1, pecan: 2 }, total: "€66.50" });
  });

  test("shows a notice once", async () => {
    const client = openShop().visit();
    expect((await submit(client, "/add", { product: "apple" })).notice).toBeString();
    expect(noticeIn(await client.text("/"))).toBeUndefined();
  });

  test.each([
    ["changes the quantity of a pie", ["apple", "lime"], "20", { apple: 20, lime: 1 }],
    ["removes a pie at 0", ["apple", "lime"], "0", { lime: 1 }],
    ["stays empty when a pie that is not in it is removed", [], "0", {}],
  ])("%s", async (_, added, quantity, pies: Record<string, number>) => {
    const client = openShop().visit();
    for (const product of added) await submit(client, "/add", { product });
    const { notice } = await submit(client, "/cart", { product: "apple", quantity });
    if (quantity === "0") expect(notice).toBe("Apple pie removed.");
    expect((await readCart(client)).pies).toEqual(pies);
  });

  test("keeps both pies when two tabs add one concurrently", async () => {
    const client = openShop().visit();
    await submit(client, "/cart", { product: "apple", quantity: "0" });
    await Promise.all(
      ["apple", "apple", "lime"].map((product) => client.clone().post("/add", { product })),
    );
    expect((await readCart(client)).pies).toEqual({ apple: 2, lime: 1 });
  });

  test("holds at most 20 of a pie", async () => {
    const client = openShop().visit();
    await submit(client, "/cart", { product: "apple", quantity: "20" });
    await submit(client, "/add", { product: "apple" });
    expect((await readCart(client)).pies).toEqual({ apple: 20 });
  });

  test.each(["-1", "21", "999999999999", "NaN", "Infinity", "1.5", "1e1", "0x2", " 2", "٣", ""])(
    "does not change for the quantity %p",
    async (quantity) => {
      const client = openShop().visit();
      await submit(client, "/add", { product: "apple" });
      const { notice } = await submit(client, "/cart", { product: "apple", quantity });
      expect(notice).toBe("Choose a number from 0 to 20.");
      expect((await readCart(client)).pies).toEqual({ apple: 1 });
    },
  );

  test("does not change without a quantity", async () => {
    const client = openShop().visit();
    expect((await submit(client, "/cart", { product: "apple" })).notice).toStartWith("Choose");
    expect(await readCart(client)).toEqual({ pies: {} });
  });

  test.each([{}, { product: "" }, { product: "mud" }, { product: "__proto__" }])(
    "answers 404 for the product in %j",
    async (fields) => {
      const client = openShop().visit();
      for (const path of ["/add", "/cart"]) {
        const response = await client.post(path, { quantity: "1", ...fields });
        expect(response.status).toBe(404);
        expect(await response.text()).toContain("We do not bake that pie.");
      }
      expect(await readCart(client)).toEqual({ pies: {} });
    },
  );

  test("does not show a pie that is no longer sold", () => {
    expect(priceLines([{ product: "mud", quantity: 1 }])).toEqual([]);
  });
});

describe("ordering", () => {
  test("asks a visitor to log in, then leads back to the cart", async () => {
    const client = openShop().visit();
    await submit(client, "/add", { product: "cherry" });
    const href = /class="button" href="([^"]+)"/.exec(await client.text("/cart"))?.[1] ?? "";
    expect((await submit(client, href, ANN)).path).toBe("/cart");
    expect(await readCart(client)).toEqual({ pies: { cherry: 1 }, total: "€21.00" });
  });

  test("requires a login, which leads back to the cart", async () => {
    const client = openShop().visit();
    await submit(client, "/add", { product: "cherry" });
    const { path, page } = await submit(client, "/order");
    expect(page).toContain("Log in to continue");
    expect((await submit(client, path, ANN)).path).toBe("/cart");
  });

  test("leads to one receipt after a double click", async () => {
    const client = await logIn(openShop().visit());
    await submit(client, "/cart", { product: "cherry", quantity: "3" });
    const receipts = await Promise.all(
      [client, client.clone()].map(async (tab) => (await submit(tab, "/order")).page),
    );
    const numbers = receipts.map((page) => /Order <strong>(\w+)/.exec(page)?.[1]);
    expect(numbers[0]).toBeString();
    expect(numbers[1]).toBe(numbers[0]);
    expect(receipts[0]).toContain("3 pies for €63.00");
    expect(await readCart(client)).toEqual({ pies: {} });
  });

  test("says so if there is nothing to order", async () => {
    const client = await logIn(openShop().visit());
    expect((await submit(client, "/order")).notice).toBe("There is nothing to order.");
    expect((await client.send("/order")).headers.get("location")).toBe("/cart");
  });
});

describe("logging in", () => {
  test.each([
    { login: "ann", password: "soggy pastry" },
    { login: "nobody", password: "flaky pastry" },
    { as: "nobody" },
    { login: "ann" },
    { password: "flaky pastry" },
    {},
  ])("is refused with 401 for %j", async (fields: Record<string, string>) => {
    const client = openShop().visit();
    const response = await client.post("/login", fields);
    expect(response.status).toBe(401);
    expect(noticeIn(await response.text())).toBe("Wrong name or password.");
    expect(await isLoggedIn(client)).toBe(false);
  });

  test.each(["ann", "ben"])("takes one click as %s", async (as) => {
    const client = openShop().visit();
    expect((await submit(client, "/login", { as })).notice?.toLowerCase()).toBe(`welcome, ${as}.`);
  });

  test("keeps what was typed, except the password, and shows it as text", async () => {
    const fields = { login: `"><script>alert(1)</script>`, password: "secret!", remember: "on" };
    const page = await (await openShop().visit().post("/login", fields)).text();
    expect(page).toContain('value="&quot;&gt;&lt;script&gt;');
    expect(page).toMatch(/name="remember" type="checkbox" checked/);
    expect(page).not.toContain("secret!");
  });

  test("L1: changes the session's id, and the old one opens nothing", async () => {
    const client = openShop().visit();
    await submit(client, "/add", { product: "apple" });
    const thief = client.clone();
    await logIn(client);
    expect(client.sessionId).not.toBe(thief.sessionId);
    expect(await isLoggedIn(client)).toBe(true);
    expect(await isLoggedIn(thief)).toBe(false);
    expect(await readCart(thief)).toEqual({ pies: {} });
  });

  test("does not pass one user's cart to the next", async () => {
    const client = await logIn(openShop().visit());
    await submit(client, "/add", { product: "apple" });
    await logIn(client, BEN);
    expect(await readCart(client)).toEqual({ pies: {} });
  });

  test("lasts for a day of use, but not for a night without", async () => {
    const { clock, visit } = openShop();
    const client = await logIn(visit());
    clock.advance(8 * HOUR - 1);
    expect(await isLoggedIn(client)).toBe(true);
    clock.advance(8 * HOUR);
    expect(await isLoggedIn(client)).toBe(false);
  });

  test("lasts for two weeks on request, after the browser is closed", async () => {
    const { clock, visit } = openShop();
    const client = visit();
    const response = await client.post("/login", { ...ANN, remember: "on" });
    expect(response.headers.getSetCookie()[0]).toContain(`Max-Age=${14 * 24 * 60 * 60}`);
    clock.advance(14 * DAY - 1);
    expect(await isLoggedIn(client)).toBe(true);
    clock.advance(14 * DAY);
    expect(await isLoggedIn(client)).toBe(false);
  });

  test("is not offered to a user who has just logged in", async () => {
    const client = await logIn(openShop().visit());
    const referer = "http://localhost:3000/add"; // the error page of a form, with no GET
    for (const [path, location] of [
      ["/login", "/"],
      ["/login?returnTo=/account", "/account"],
    ] as const) {
      const response = await client.send(path, { headers: { referer } });
      expect([response.status, response.headers.get("location")]).toEqual([303, location]);
    }
  });

  test("leads back to the page that required it, and to no other on the way", async () => {
    const client = openShop().visit();
    const response = await client.send("/account");
    const login = response.headers.get("location") ?? "";
    expect(login).toBe(LOGIN_FOR_ACCOUNT);
    expect(await client.text(login)).toContain("Log in to continue");
    expect((await submit(client.clone(), "/login", ANN)).path).toBe("/");
    expect((await submit(client, login, ANN)).path).toBe("/account");
  });

  test("says once that the previous session has ended", async () => {
    const { shop, visit } = openShop();
    const client = await logIn(visit());
    await shop.sessions.revokeAll("1");
    expect(noticeIn(await client.text("/cart"))).toStartWith("You were signed out");
    expect(noticeIn(await client.text("/cart"))).toBeUndefined();
  });

  test.each([
    ["/add", { product: "cherry" }, `${ENDED} Cherry pie is in your cart.`],
    ["/proofs/race", {}, ENDED],
    ["/logout", {}, "You are logged out."],
  ])("says so too if the first request is a form: %s", async (path, fields, expected) => {
    const { shop, visit } = openShop();
    const client = await logIn(visit());
    await shop.sessions.revokeAll("1");
    expect((await submit(client, path, fields)).notice).toBe(expected);
    expect(noticeIn(await client.text("/cart"))).toBeUndefined();
  });
});

describe("signing up", () => {
  const NEW = { name: "Cleo", password: "crumbly crust" };

  test("creates an account, and logs in", async () => {
    const { visit } = openShop();
    expect((await submit(visit(), "/signup", NEW)).notice).toBe("Welcome, Cleo.");
    await logIn(visit(), { login: "CLEO", password: NEW.password });
  });

  test.each([
    [{ ...NEW, name: "C" }, "Choose a name"],
    [{ ...NEW, name: "<b>" }, "Choose a name"],
    [{ ...NEW, password: "short" }, "Choose a password of at least 8 characters."],
    [{ ...NEW, name: "Ann" }, "The name Ann is taken."],
  ])("shows %j again, with what is wrong", async (fields, problem) => {
    const response = await openShop().visit().post("/signup", fields);
    const page = await response.text();
    expect(response.status).toBe(422);
    expect(noticeIn(page)).toStartWith(problem);
    expect(page).not.toContain(`value="${fields.password}"`);
  });
});

describe("logging out", () => {
  test("L6: ends the session for every copy of the cookie, and says so", async () => {
    const client = await logIn(openShop().visit());
    await submit(client, "/add", { product: "apple" });
    const thief = client.clone();
    const { path, notice } = await submit(client, "/logout");
    expect({ path, notice }).toEqual({ path: "/", notice: "You are logged out." });
    for (const each of [client, thief]) {
      expect(await isLoggedIn(each)).toBe(false);
      expect(await readCart(each)).toEqual({ pies: {} });
    }
  });
});

describe("the account", () => {
  test("lists the current browser first, by name, with a button for each other", async () => {
    const { clock, visit } = openShop();
    const client = await logIn(visit());
    clock.advance(3 * MINUTE);
    const headers = { "user-agent": "curl/8.14" };
    await visit().send("/login", { method: "POST", body: new URLSearchParams(ANN), headers });
    const page = await client.text("/account");
    expect(page).toMatch(/Firefox 140 on Windows[^]*This browser[^]*curl 8\.14/);
    expect(page).toMatch(/Logged in\s*<time[^>]*>3 minutes ago/);
    expect(page.match(/This browser/g)).toHaveLength(1);
    expect(await readHandles(client)).toHaveLength(1);
  });

  test("returns to the list from a form whose Referer is no valid URL", async () => {
    const client = await logIn(openShop().visit());
    const headers = { referer: "http://[" };
    const body = new URLSearchParams({ handle: "unknown" });
    const response = await client.send("/account/end", { method: "POST", body, headers });
    expect([response.status, response.headers.get("location")]).toEqual([303, "/account"]);
  });

  test("L7: signs out one browser", async () => {
    const { clock, visit } = openShop();
    const [kept, lost, client] = [await logIn(visit()), await logIn(visit()), await logIn(visit())];
    clock.advance(HOUR);
    await kept.send("/"); // the last one seen, and so the first of the others
    await submit(client, "/login", ANN); // once more, to confirm
    const [, handle = ""] = await readHandles(client);
    expect((await submit(client, "/account/end", { handle })).notice).toBe(
      "Signed out: Firefox 140 on Windows.",
    );
    expect(await Promise.all([kept, lost, client].map(isLoggedIn))).toEqual([true, false, true]);
    expect(await lost.text(`/account/ended/${handle}`)).toMatch(
      /Signed out from Firefox 140 on Windows at\s*<time[^>]*>\d\d:\d\d</,
    );
  });

  test("L7: signs out all browsers but the current one", async () => {
    const { visit } = openShop();
    const ben = await logIn(visit(), BEN);
    const [one, two, client] = [await logIn(visit()), await logIn(visit()), await logIn(visit())];
    expect((await submit(client, "/account/others")).notice).toBe("Sessions signed out: 2.");
    const expected = [false, false, true, true];
    expect(await Promise.all([one, two, client, ben].map(isLoggedIn))).toEqual(expected);
  });

  test("L7: signs out everywhere", async () => {
    const { visit } = openShop();
    const [one, client] = [await logIn(visit()), await logIn(visit())];
    expect((await submit(client, "/account/all")).notice).toBe("You are signed out everywhere.");
    expect(await Promise.all([one, client].map(isLoggedIn))).toEqual([false, false]);
  });

  test("signs out the current browser by its own handle", async () => {
    const { shop, visit } = openShop();
    const client = await logIn(visit());
    const [session] = await shop.sessions.list("1");
    const { path } = await submit(client, "/account/end", { handle: session?.handle ?? "" });
    expect(path).toBe("/");
    expect(await isLoggedIn(client)).toBe(false);
  });

  test("L7: does not affect another user's sessions", async () => {
    const { shop, visit } = openShop();
    const ben = await logIn(visit(), BEN);
    const client = await logIn(visit());
    const [foreign] = await shop.sessions.list("2");
    for (const handle of [foreign?.handle ?? "", "", "mud", ben.sessionId ?? ""]) {
      const { notice } = await submit(client, "/account/end", { handle });
      expect(notice).toBe("That session has ended already.");
    }
    expect(await isLoggedIn(ben)).toBe(true);
  });

  test("asks for the password again if the login is older than five minutes", async () => {
    const { clock, visit } = openShop();
    const [other, client] = [await logIn(visit()), await logIn(visit())];
    clock.advance(5 * MINUTE + 1);
    expect(await readHandles(client)).toEqual([]);
    for (const path of ["/account/end", "/account/others", "/account/all"]) {
      expect((await submit(client, path)).path).toBe(LOGIN_FOR_ACCOUNT);
    }
    expect(await isLoggedIn(other)).toBe(true);

    expect(await client.text(LOGIN_FOR_ACCOUNT)).toContain("<h1>Confirm your password</h1>");
    const wrong = await client.post("/login", { ...ANN, password: "x", confirm: "yes" });
    expect([wrong.status, noticeIn(await wrong.text())]).toEqual([
      401,
      "That is not your password.",
    ]);
    const { path, notice } = await submit(client, "/login", { ...ANN, confirm: "yes" });
    expect({ path, notice }).toEqual({ path: "/account", notice: "Confirmed." });
    expect((await submit(client, "/account/others")).notice).toBe("Sessions signed out: 1.");
  });

  test.each(["/account/end", "/account/others", "/account/all"])(
    "is not changed by a visitor through %s",
    async (path) => {
      const { shop, visit } = openShop();
      const ann = await logIn(visit());
      const [session] = await shop.sessions.list("1");
      const { path: next } = await submit(visit(), path, { handle: session?.handle ?? "" });
      expect(next).toBe(LOGIN_FOR_ACCOUNT);
      expect(await isLoggedIn(ann)).toBe(true);
    },
  );

  test("notifies an open page of new sessions, and of its own end", async () => {
    const { shop, visit } = openShop();
    const client = await logIn(visit());
    const events = client.events("/account/watch/x");
    const next = events.next(); // the page waits
    await logIn(visit());
    expect((await next).value).toMatchObject({ event: "sessions" });

    await shop.sessions.revokeAll("1");
    expect((await events.next()).done).toBe(true);
    const back = client.events("/account/watch/x");
    expect((await back.next()).value).toMatchObject({ event: "ended" });
  });

  test("does not count as used because a page waits for news", async () => {
    const { clock, visit } = openShop();
    const client = await logIn(visit());
    clock.advance(8 * HOUR - 1);
    const response = await client.send("/account/watch/x");
    await response.body?.cancel();
    clock.advance(1);
    expect(await isLoggedIn(client)).toBe(false);
  });
});

describe("the proofs", () => {
  test("lose pies by loading and saving, and none by update()", async () => {
    const client = openShop().visit();
    const { page } = await submit(client, "/proofs/race");
    const [lost, kept] = [...page.matchAll(/<strong>(\d+)<\/strong> of 50/g)].map((match) =>
      Number(match[1]),
    );
    expect(lost).toBeLessThan(50);
    expect(kept).toBe(50);
  });

  test("show the code that they run", async () => {
    expect(await openShop().visit().text("/")).toContain("await session.update((stored) =&gt; {");
  });

  test("show the outcome of a crash, and run one at a time", async () => {
    const crash = Promise.withResolvers<Awaited<ReturnType<CrashTrial>>>();
    let count = 0;
    const { visit } = openShop(() => {
      count += 1;
      return crash.promise;
    });
    const pages = [visit(), visit()].map((client) => submit(client, "/proofs/crash"));
    crash.resolve({ killed: 1, survivor: 2, down: 7, name: "Ann", pies: 3 });
    for (const { page } of await Promise.all(pages)) {
      expect(page).toMatch(/7 ms<\/strong> down[^]*Still Ann<\/strong> with\s+3 pies/);
    }
    expect(count).toBe(1);
  });

  test("refuse to crash, with a reason", async () => {
    const { page, notice } = await submit(openShop().visit(), "/proofs/crash");
    expect(notice).toBe("Not here.");
    expect(page).not.toContain("Kill a process");
  });

  test("kill a real process, after which the other has everything that was acknowledged", async () => {
    const env = { ...process.env, BACKEND: "sqlite", SHOP_FOLDER: folder.path };
    const { killed, survivor, name, pies } = await runCrash(env);
    expect({ name, pies }).toEqual({ name: "Ann", pies: 3 });
    expect(survivor).not.toBe(killed);
    expect(() => process.kill(killed, 0)).toThrow(); // It is gone.
  });

  test("report a crash that failed", async () => {
    using error = quiet("error");
    const { visit } = openShop(() => Promise.reject(new Error("No second process.")));
    const { notice } = await submit(visit(), "/proofs/crash");
    expect(notice).toStartWith("The trial failed");
    expect(error).toHaveBeenCalledTimes(1);
  });

  test("log in another browser by a link, once", async () => {
    const { visit } = openShop();
    const client = await logIn(visit());
    expect((await submit(visit(), "/proofs/other")).path).toBe("/login?returnTo=%2F%23elsewhere");
    const { page } = await submit(client, "/proofs/other");
    const link = new URL(/<a href="([^"]+)" target/.exec(page)?.[1] ?? "");
    expect(link.hostname).toBe("127.0.0.1"); // which has other cookies than localhost

    const other = visit();
    expect(await other.text(link.pathname)).toContain("Log in as Ann");
    expect(await isLoggedIn(other)).toBe(false); // by looking
    expect((await submit(other, link.pathname)).notice).toBe("Welcome, Ann.");
    expect(await readHandles(client, "/")).toHaveLength(1);
    expect((await visit().post(link.pathname)).status).toBe(410);
  });

  test("create links that work for five minutes", async () => {
    const { clock, visit } = openShop();
    const client = await logIn(visit());
    const { page } = await submit(client, "/proofs/other");
    const { pathname } = new URL(/<a href="([^"]+)" target/.exec(page)?.[1] ?? "");
    clock.advance(5 * MINUTE);
    expect((await visit().send(pathname)).status).toBe(410);
  });
});

describe("the chat", () => {
  test("accepts lines by form and by socket, under the user's name", async () => {
    const { visit } = openShop();
    const [ann, ben, reader] = [await logIn(visit()), await logIn(visit(), BEN), visit()];
    await submit(ann, "/chat", { text: "One <b>pie</b>" });

    await using socket = await ben.socket("/chat?after=0");
    expect(await socket.receive()).toContain("<b>Ann</b>");
    socket.send(JSON.stringify({ text: "Two" }));
    expect(await socket.receive()).toContain("<b>Ben</b>");
    await submit(ann, "/chat", { text: "Three" });
    expect(await socket.receive()).toContain("Three");
    expect(await reader.text("/chat")).toMatch(/One &lt;b&gt;[^]*Two[^]*Three/);
  });

  test("can be read by everyone, and written by users", async () => {
    const { visit } = openShop();
    const { path } = await submit(visit(), "/chat", { text: "Spam" });
    expect(path).toBe("/login?returnTo=%2Fchat");
    const socket = await visit().socket("/chat");
    socket.send(JSON.stringify({ text: "Spam" }));
    expect(await socket.closed).toMatchObject({ code: 4403 });
    expect(await visit().text("/chat")).not.toContain("Spam");
  });

  test.each(["", "   ", "a".repeat(301)])("refuses the line %j", async (text) => {
    const client = await logIn(openShop().visit());
    expect((await submit(client, "/chat", { text })).notice).toBe("Write 1 to 300 characters.");
  });

  test("closes the socket when the session ends", async () => {
    const { shop, visit } = openShop();
    const client = await logIn(visit());
    const socket = await client.socket("/chat");
    await shop.sessions.revokeAll("1");
    expect(await socket.closed).toMatchObject({ code: 4401 });
  });
});

describe("the live page", () => {
  test("shows events in plain words, and repeated ones on one line", async () => {
    const client = openShop().visit();
    for (let count = 0; count < 3; count++) await client.post("/add", { product: "lime" });
    const page = await client.text("/live"); // which takes the notice: the third change
    const lines = [...page.matchAll(/<\/time>\s*([^<]*?) [\w-]+\.\s*(?:<b>([^<]*)|<\/li>)/g)];
    expect(lines.map(([, ...line]) => line)).toEqual([
      [expect.stringMatching(/^Session \S{6} was$/), "3 times"],
      ["A visitor&#x27;s session was stored for the first time:", undefined],
    ]);
    expect(/Changes stored<\/dt>\s*<dd>(\d+)</.exec(page)?.[1]).toBe("3");
  });

  test("streams the same lines, and continues where a browser left off", async () => {
    const client = openShop().visit();
    await client.post("/add", { product: "lime" });
    await client.post("/cart", { product: "lime", quantity: "2" });
    for (const [after, text] of [
      ["0", "for the first time"],
      ["1", "was changed"],
    ] as const) {
      const events = client.events("/live/stream?after=0", { headers: { "last-event-id": after } });
      expect((await events.next()).value).toMatchObject({ event: "figures" });
      const line = (await events.next()).value;
      expect(line).toMatchObject({ event: "line", data: expect.stringContaining(text) });
      await events.return();
    }
  });

  test("says how long the store takes on average, if it was used", () => {
    const none = { count: 0, totalTime: 0, maxTime: 0 };
    const stats = openShop().shop.sessions.stats();
    for (const [use, text] of [
      [none, "0 <small>not used yet</small>"],
      [{ ...none, count: 4, totalTime: 0.03 }, "4 <small>&lt; 0.01 ms each</small>"],
      [{ ...none, count: 4, totalTime: 5 }, "4 <small>1.25 ms each</small>"],
    ] as const) {
      const shown = String(figures({ ...stats, loads: use, stores: none }, []));
      expect(/Store reads<\/dt>\s*<dd>(.*?)<\/dd>/.exec(shown)?.[1]).toBe(text);
    }
  });

  test("counts per second, for a minute", () => {
    const clock = new FakeClock();
    const activity = new Activity(clock.now, () => undefined);
    activity.noteRequest();
    clock.advance(59_000);
    activity.noteRequest();
    activity.noteEvent({ type: "swept", count: 1 });
    activity.noteEvent({ type: "updated", handle: "h" });
    expect(activity.lastMinute().map(({ requests, writes }) => requests + writes)).toEqual([
      1,
      ...Array.from({ length: 58 }, () => 0),
      2,
    ]);
    clock.advance(60_000);
    expect(activity.lastMinute().every(({ requests }) => requests === 0)).toBe(true);
  });

  test.each([
    [
      { type: "created", handle: "abcdefgh", userId: null },
      "A visitor's session was stored for the first time: abcdef.",
    ],
    [
      { type: "created", handle: "abcdefgh", userId: "1" },
      "Ann logged in: session abcdef was stored.",
    ],
    [{ type: "updated", handle: "abcdefgh" }, "Session abcdef was changed."],
    [
      { type: "rotated", handle: "abc", from: "def", userId: null },
      "Session def got a new id: abc.",
    ],
    [
      { type: "rotated", handle: "abc", from: "def", userId: "1" },
      "Ann logged in: session def got a new id, abc.",
    ],
    [{ type: "destroyed", handles: [], userId: "1", count: 2 }, "2 sessions of Ann ended."],
    [{ type: "destroyed", handles: [], userId: null, count: 1 }, "A session ended."],
    [
      { type: "expired", handle: "abc" },
      "A visitor came back with session abc, which has expired.",
    ],
    [
      { type: "rejected", reason: "superseded" },
      "A late request came with an id that had been replaced. It opened nothing.",
    ],
    [
      { type: "merged", handle: "abc" },
      "Two requests changed session abc at once. Their changes were merged.",
    ],
    [
      { type: "overwritten", handle: "abc", keys: ["cart"] },
      "Two requests changed cart of session abc at once. The later change was kept.",
    ],
    [
      { type: "dropped", handle: null },
      "A change was dropped: its session had ended, or had a new id.",
    ],
    [{ type: "swept", count: 3 }, "3 sessions had expired and left the store."],
    [
      { type: "failed", operation: "load", error: new Error("secret") },
      'The store failed at "load".',
    ],
  ] satisfies [SessionEvent, string][])("says of %j: %s", (event, text) => {
    expect(describeEvent(event, () => "Ann")).toBe(text);
  });
});

test("an unknown BACKEND causes an error that lists the known ones", () => {
  expect(parseBackendName("redis")).toBe("redis");
  expect(() => parseBackendName("toString")).toThrow("one of: memory, sqlite, postgres, redis.");
});

test("ExpiringMap forgets what is old, and what exceeds its size", () => {
  const clock = new FakeClock();
  const map = new ExpiringMap<number>(1_000, 2, clock.now);
  for (const [index, key] of ["a", "b", "c"].entries()) map.set(key, index);
  expect(["a", "b", "c"].map((key) => map.get(key))).toEqual([undefined, 1, 2]);
  expect([map.take("b"), map.take("b")]).toEqual([1, undefined]);
  clock.advance(1_000);
  expect(map.get("c")).toBeUndefined();
});

describe("describeDevice", () => {
  test.each([
    [FIREFOX, "Firefox 140 on Windows"],
    ["Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15) Version/18.1 Safari/605", "Safari 18 on Mac"],
    ["Mozilla/5.0 (iPhone; CPU iPhone OS 18 like Mac OS X) Safari/604", "Safari on iPhone"],
    ["Mozilla/5.0 (Linux; Android 15) Chrome/140.0 Mobile Safari/537", "Chrome 140 on Android"],
    ["Mozilla/5.0 (Windows NT 10.0) Chrome/140 Safari/537 Edg/141.0", "Edge 141 on Windows"],
    ["curl/8.14", "curl 8.14"],
    [null, "Unknown browser"],
  ])("turns %p into %p", (userAgent, name) => {
    expect(describeDevice(userAgent)).toBe(name);
  });
});

describe("formats", () => {
  test.each([
    [0, "just now"],
    [-90_000, "1 minute ago"],
    [-3 * HOUR, "3 hours ago"],
    [14 * DAY - 1, "in 14 days"],
    [-DAY, "yesterday"],
  ])("shows %p ms as %p", (distance, text) => {
    expect(formatDistance(Date.UTC(2030, 0, 1) + distance, Date.UTC(2030, 0, 1))).toBe(text);
  });

  test("show short times in milliseconds", () => {
    expect([0.2, 999, 1_250].map(formatDuration)).toEqual(["1 ms", "999 ms", "1.3 s"]);
  });
});
