import { afterAll, describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { priced } from "../../examples/shop/cart.ts";
import { deviceOf } from "../../examples/shop/device.ts";
import { Shop } from "../../examples/shop/shop.ts";
import { formatDistance } from "../../examples/shop/views/format.ts";
import { SqliteSessionBackend } from "../../src/backends/sqlite/backend.ts";
import { InMemorySessionBackend } from "../../src/index.ts";
import { TestClient } from "../../src/testing/client.ts";
import { FakeClock } from "../support/clock.ts";

const HOUR = 60 * 60_000;
const DAY = 24 * HOUR;
const ANN = { login: "ann", password: "flaky pastry" };
const BEN = { login: "ben", password: "buttery crust" };
const FIREFOX = "Mozilla/5.0 (Windows NT 10.0; rv:140.0) Gecko/20100101 Firefox/140.0";
const FORMS = ["/cart", "/add", "/order", "/login", "/logout", "/devices", "/elsewhere"];

const folder = mkdtempSync(join(tmpdir(), "shop-"));
afterAll(() => rmSync(folder, { recursive: true }));

function openShop(): { shop: Shop; clock: FakeClock; visit: () => TestClient } {
  const clock = new FakeClock();
  const { now } = clock;
  const shop = new Shop(new InMemorySessionBackend({ now }), { now });
  return { shop, clock, visit: () => new TestClient(shop) };
}

/** Sends a form and follows the redirect, as a browser does. Gives the page that it leads to. */
async function submit(
  client: TestClient,
  path: string,
  fields: Record<string, string> = {},
): Promise<{ path: string; page: string; notice: string | undefined }> {
  const response = await client.post(path, fields);
  expect(response.status).toBe(303);
  const location = response.headers.get("location") ?? "";
  const page = await client.text(location);
  return { path: location, page, notice: noticeIn(page) };
}

async function logIn(
  client: TestClient,
  fields: Record<string, string> = ANN,
): Promise<TestClient> {
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
async function cartOf(
  client: TestClient,
): Promise<{ pies: Record<string, number>; total?: string }> {
  const page = await client.text("/cart");
  const lines = page.matchAll(/class="card pie (\w+)"[^]*?value="(\d+)"\s+required/g);
  const pies = Object.fromEntries([...lines].map(([, pie, count]) => [pie, Number(count)]));
  const total = /Total <strong[^>]*>([^<]*)</.exec(page)?.[1];
  return total === undefined ? { pies } : { pies, total };
}

/** The handles of the sessions that the page of devices offers to end. */
async function handlesOn(client: TestClient): Promise<string[]> {
  const page = await client.text("/devices");
  return [...page.matchAll(/name="handle" value="([^"]+)"/g)].map(([, handle]) => String(handle));
}

describe("Shop", () => {
  test("counts each visitor's visits on their own", async () => {
    const { visit } = openShop();
    const one = visit();
    await one.send("/");
    expect(await one.text("/")).toContain("visited 2 times");
    expect(await visit().text("/")).toContain("visited 1 time.");
  });

  test.each(["/", "/cart", "/login"])(
    "keeps %s out of caches, and scripts out of it",
    async (path) => {
      const response = await openShop().visit().send(path);
      expect(response.headers.get("cache-control")).toBe("no-store");
      expect(response.headers.get("content-security-policy")).toContain("default-src 'none'");
      expect(await response.text()).not.toMatch(/<script|<style|\sstyle=|\son\w+=/);
    },
  );

  test.each([
    ["style sheet", /rel="stylesheet" href="([^"]+)"/, "text/css;charset=utf-8"],
    ["icon", /rel="icon" href="([^"]+)"/, "image/svg+xml"],
  ])("serves its %s to be cached, without a session", async (_, link, type) => {
    const client = openShop().visit();
    const path = link.exec(await client.text("/login"))?.[1] ?? "";
    const { headers, status } = await client.send(path);
    expect(status).toBe(200);
    expect(headers.get("content-type")).toBe(type);
    expect(headers.get("cache-control")).toContain("immutable");
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

  test.each(["/add", "/order", "/logout", "/elsewhere"])(
    "changes nothing on GET %s",
    async (path) => {
      expect((await openShop().visit().send(path)).status).toBe(405);
    },
  );

  test("refuses a form that is too large, or none", async () => {
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
    const path = join(folder, "restart.db");
    const before = new Shop(new SqliteSessionBackend(path));
    const client = await logIn(new TestClient(before));
    await submit(client, "/add", { product: "lime" });
    await before.sessions.close();

    const after = new Shop(new SqliteSessionBackend(path));
    const returning = new TestClient(after);
    returning.cookies.set("session_id", client.sessionId ?? "");
    expect(await isLoggedIn(returning)).toBe(true);
    expect(await cartOf(returning)).toEqual({ pies: { lime: 1 }, total: "€19.50" });
    await after.sessions.close();
  });
});

describe("the cart", () => {
  test("adds up what was put into it", async () => {
    const client = openShop().visit();
    for (const product of ["apple", "pecan", "pecan"]) {
      const { path, notice } = await submit(client, "/add", { product });
      expect(path).toBe("/");
      expect(notice).toEndWith("is in your cart.");
    }
    expect(await cartOf(client)).toEqual({ pies: { apple: 1, pecan: 2 }, total: "€66.50" });
  });

  test("shows a notice once", async () => {
    const client = openShop().visit();
    expect((await submit(client, "/add", { product: "apple" })).notice).toBeString();
    expect(noticeIn(await client.text("/"))).toBeUndefined();
  });

  test("changes how many pies of a kind it holds", async () => {
    const client = openShop().visit();
    await submit(client, "/add", { product: "apple" });
    await submit(client, "/add", { product: "lime" });
    await submit(client, "/cart", { product: "apple", quantity: "20" });
    expect((await cartOf(client)).pies).toEqual({ apple: 20, lime: 1 });
  });

  test("lets go of a pie at 0", async () => {
    const client = openShop().visit();
    await submit(client, "/add", { product: "apple" });
    await submit(client, "/add", { product: "lime" });
    const { notice } = await submit(client, "/cart", { product: "apple", quantity: "0" });
    expect(notice).toBe("Apple pie is out.");
    expect((await cartOf(client)).pies).toEqual({ lime: 1 });
  });

  test("stays empty when a pie that is not in it is taken out", async () => {
    const client = openShop().visit();
    await submit(client, "/cart", { product: "apple", quantity: "0" });
    expect(await cartOf(client)).toEqual({ pies: {} });
  });

  test("keeps both pies when two tabs add at the same moment", async () => {
    const client = openShop().visit();
    await client.send("/");
    await Promise.all(
      ["apple", "apple", "lime"].map((product) => client.clone().post("/add", { product })),
    );
    expect((await cartOf(client)).pies).toEqual({ apple: 2, lime: 1 });
  });

  test("holds at most 20 of a pie", async () => {
    const client = openShop().visit();
    await submit(client, "/cart", { product: "apple", quantity: "20" });
    await submit(client, "/add", { product: "apple" });
    expect((await cartOf(client)).pies).toEqual({ apple: 20 });
  });

  test.each(["-1", "21", "999999999999", "NaN", "Infinity", "1.5", "1e1", "0x2", " 2", "٣", ""])(
    "stays as it is for the quantity %p",
    async (quantity) => {
      const client = openShop().visit();
      await submit(client, "/add", { product: "apple" });
      const { notice } = await submit(client, "/cart", { product: "apple", quantity });
      expect(notice).toBe("Choose a number from 0 to 20.");
      expect((await cartOf(client)).pies).toEqual({ apple: 1 });
    },
  );

  test("stays as it is without a quantity", async () => {
    const client = openShop().visit();
    expect((await submit(client, "/cart", { product: "apple" })).notice).toStartWith("Choose");
    expect(await cartOf(client)).toEqual({ pies: {} });
  });

  test.each([{}, { product: "" }, { product: "mud" }, { product: "__proto__" }])(
    "answers 404 for the product in %j",
    async (fields) => {
      const client = openShop().visit();
      for (const path of ["/add", "/cart"]) {
        expect((await client.post(path, { quantity: "1", ...fields })).status).toBe(404);
      }
      expect(await cartOf(client)).toEqual({ pies: {} });
    },
  );

  test("does not show a pie that is no longer sold", () => {
    expect(priced([{ product: "mud", quantity: 1 }])).toEqual([]);
  });
});

describe("ordering", () => {
  test("asks a visitor to log in, then leads back to the cart", async () => {
    const client = openShop().visit();
    await submit(client, "/add", { product: "cherry" });
    expect(await submit(client, "/order")).toMatchObject({
      path: "/login",
      notice: "Please log in first.",
    });
    expect((await submit(client, "/login", ANN)).path).toBe("/cart");
    expect(await cartOf(client)).toEqual({ pies: { cherry: 1 }, total: "€21.00" });
  });

  test("empties the cart, once for two clicks", async () => {
    const client = await logIn(openShop().visit());
    await submit(client, "/cart", { product: "cherry", quantity: "3" });
    const paths = await Promise.all(
      [client, client.clone()].map(async (tab) =>
        (await tab.post("/order")).headers.get("location"),
      ),
    );
    expect(paths.toSorted()).toEqual(["/", "/cart"]);
    expect(await cartOf(client)).toEqual({ pies: {} });
  });

  test("says so when there is nothing to order", async () => {
    const client = await logIn(openShop().visit());
    expect((await submit(client, "/order")).notice).toBe("There is nothing to order.");
  });
});

describe("logging in", () => {
  test.each([
    { login: "ann", password: "soggy pastry" },
    { login: "nobody", password: "flaky pastry" },
    { login: "ann" },
    { password: "flaky pastry" },
    {},
  ])("is refused with 401 for %j", async (fields: Record<string, string>) => {
    const client = openShop().visit();
    const response = await client.post("/login", fields);
    expect(response.status).toBe(401);
    expect(noticeIn(await response.text())).toBe("This name and password do not belong together.");
    expect(await isLoggedIn(client)).toBe(false);
  });

  test("keeps what was typed, except the password, and shows it as text", async () => {
    const fields = { login: `"><script>alert(1)</script>`, password: "secret!", remember: "on" };
    const page = await (await openShop().visit().post("/login", fields)).text();
    expect(page).toContain('value="&quot;&gt;&lt;script&gt;');
    expect(page).toMatch(/name="remember" type="checkbox" checked/);
    expect(page).not.toContain("secret!");
  });

  test("L1: gives the session a new id, and the old one opens nothing", async () => {
    const client = openShop().visit();
    await submit(client, "/add", { product: "apple" });
    const thief = client.clone();
    await logIn(client);
    expect(client.sessionId).not.toBe(thief.sessionId);
    expect(await isLoggedIn(client)).toBe(true);
    expect(await isLoggedIn(thief)).toBe(false);
    expect(await cartOf(thief)).toEqual({ pies: {} });
  });

  test("does not hand one user's cart to the next", async () => {
    const client = await logIn(openShop().visit());
    await submit(client, "/add", { product: "apple" });
    await logIn(client, BEN);
    expect(await cartOf(client)).toEqual({ pies: {} });
  });

  test("lasts for a day of browsing, but not for a night without", async () => {
    const { clock, visit } = openShop();
    const client = await logIn(visit());
    clock.advance(8 * HOUR - 1);
    expect(await isLoggedIn(client)).toBe(true);
    clock.advance(8 * HOUR);
    expect(await isLoggedIn(client)).toBe(false);
  });

  test("lasts for two weeks if asked to, past the end of the browser", async () => {
    const { clock, visit } = openShop();
    const client = visit();
    const response = await client.post("/login", { ...ANN, remember: "on" });
    expect(response.headers.getSetCookie()[0]).toContain(`Max-Age=${14 * 24 * 60 * 60}`);
    clock.advance(14 * DAY - 1);
    expect(await isLoggedIn(client)).toBe(true);
    clock.advance(14 * DAY);
    expect(await isLoggedIn(client)).toBe(false);
  });

  test("is not offered to who is logged in", async () => {
    const client = await logIn(openShop().visit());
    const response = await client.send("/login");
    expect([response.status, response.headers.get("location")]).toEqual([303, "/"]);
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
      expect(await cartOf(each)).toEqual({ pies: {} });
    }
  });
});

describe("the devices", () => {
  test("are listed by name, with a button for each but the present one", async () => {
    const { visit } = openShop();
    const body = new URLSearchParams(ANN);
    await visit().send("/login", { method: "POST", body, headers: { "user-agent": FIREFOX } });
    const client = await logIn(visit());
    const page = await client.text("/devices");
    expect(page).toContain("Firefox on Windows");
    expect(page.match(/This device/g)).toHaveLength(1);
    expect(await handlesOn(client)).toHaveLength(1);
  });

  test("L7: can be logged out one by one", async () => {
    const { visit } = openShop();
    const [lost, kept, client] = [await logIn(visit()), await logIn(visit()), await logIn(visit())];
    const [handle = ""] = await handlesOn(client);
    expect((await submit(client, "/devices", { handle })).notice).toBe(
      "That device is logged out.",
    );
    expect(await Promise.all([lost, kept, client].map(isLoggedIn))).toEqual([false, true, true]);
  });

  test("L7: can be logged out all at once, but for the present one", async () => {
    const { visit } = openShop();
    const ben = await logIn(visit(), BEN);
    const [one, two, client] = [await logIn(visit()), await logIn(visit()), await logIn(visit())];
    expect((await submit(client, "/elsewhere")).notice).toBe("Devices logged out: 2.");
    expect(await Promise.all([one, two, client, ben].map(isLoggedIn))).toEqual([
      false,
      false,
      true,
      true,
    ]);
  });

  test("can be ended from the device itself", async () => {
    const { shop, visit } = openShop();
    const client = await logIn(visit());
    const [session] = await shop.sessions.list("1");
    const { path } = await submit(client, "/devices", { handle: session?.handle ?? "" });
    expect(path).toBe("/devices");
    expect(await isLoggedIn(client)).toBe(false);
  });

  test("L7: of another user stay logged in", async () => {
    const { shop, visit } = openShop();
    const ben = await logIn(visit(), BEN);
    const client = await logIn(visit());
    const [foreign] = await shop.sessions.list("2");
    for (const handle of [foreign?.handle ?? "", "", "mud", ben.sessionId ?? ""]) {
      const { notice } = await submit(client, "/devices", { handle });
      expect(notice).toBe("That device is logged out already.");
    }
    expect(await isLoggedIn(ben)).toBe(true);
    expect(await submit(client, "/devices")).toMatchObject({ path: "/devices" });
  });

  test("are shown to users only, who come back to them", async () => {
    const client = openShop().visit();
    const response = await client.send("/devices");
    expect([response.status, response.headers.get("location")]).toEqual([303, "/login"]);
    expect((await submit(client, "/login", ANN)).path).toBe("/devices");
  });

  test.each(["/devices", "/elsewhere"])("are not ended by a visitor through %s", async (path) => {
    const { shop, visit } = openShop();
    const ann = await logIn(visit());
    const [session] = await shop.sessions.list("1");
    const { path: next } = await submit(visit(), path, { handle: session?.handle ?? "" });
    expect(next).toBe("/login");
    expect(await isLoggedIn(ann)).toBe(true);
  });
});

describe("deviceOf", () => {
  test.each([
    [FIREFOX, "Firefox on Windows"],
    ["Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15) Version/18 Safari/605", "Safari on Mac"],
    ["Mozilla/5.0 (iPhone; CPU iPhone OS 18 like Mac OS X) Safari/604", "Safari on iPhone"],
    ["Mozilla/5.0 (Linux; Android 15) Chrome/140 Mobile Safari/537", "Chrome on Android"],
    ["Mozilla/5.0 (Windows NT 10.0) Chrome/140 Safari/537 Edg/140", "Edge on Windows"],
    ["curl/8.14", "curl"],
    [null, "Unknown browser"],
  ])("calls %p %p", (userAgent, name) => {
    expect(deviceOf(userAgent)).toBe(name);
  });
});

describe("formatDistance", () => {
  test.each([
    [0, "just now"],
    [-90_000, "1 minute ago"],
    [-3 * HOUR, "3 hours ago"],
    [14 * DAY - 1, "in 14 days"],
    [-DAY, "yesterday"],
  ])("shows %p ms as %p", (distance, text) => {
    expect(formatDistance(Date.UTC(2030, 0, 1) + distance, Date.UTC(2030, 0, 1))).toBe(text);
  });
});
