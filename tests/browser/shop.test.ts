import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { Browser, hasBrowser } from "../support/processes/browser.ts";
import { freePort } from "../support/processes/free-port.ts";
import { ServedApp } from "../support/processes/served-app.ts";

const DAY = 24 * 60 * 60;
const SHOP = join(import.meta.dir, "../../examples/shop/app.ts");
const TIMEOUT = 120_000;

describe.skipIf(!hasBrowser)("the shop, in Chromium", () => {
  let folder: string;
  let port: number;
  let shop: ServedApp;
  let browser: Browser;

  const start = (): Promise<ServedApp> =>
    ServedApp.start(SHOP, {
      flags: ["--hot"],
      env: { PORT: String(port), SHOP_DB: join(folder, "shop.db") },
    });
  const visit = (path: string): Promise<void> => browser.visit(`http://localhost:${port}${path}`);

  async function logIn(remember = false): Promise<void> {
    await visit("/login");
    await browser.fill("[name=login]", "ann");
    await browser.fill("[name=password]", "flaky pastry");
    if (remember) await browser.evaluate("document.querySelector('[name=remember]').click()");
    await browser.follow("main button");
    expect(await browser.text()).toContain("Welcome, Ann.");
  }

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), "shop-"));
    port = await freePort();
    shop = await start();
  }, TIMEOUT);

  afterAll(async () => {
    await shop.stop();
    rmSync(folder, { recursive: true });
  }, TIMEOUT);

  beforeEach(async () => {
    browser = new Browser();
    await visit("/style");
    await browser.forgetCookies();
  }, TIMEOUT);

  afterEach(() => browser[Symbol.dispose]());

  test(
    "C1: keeps the session's cookie from scripts, from other sites and from the disk",
    async () => {
      await logIn();
      const [cookie, ...others] = await browser.cookies();
      expect(others).toEqual([]);
      expect(cookie).toMatchObject({
        name: "session_id",
        httpOnly: true,
        secure: true,
        sameSite: "Lax",
        session: true,
      });
      expect(await browser.evaluate("document.cookie")).toBe("");
    },
    TIMEOUT,
  );

  test(
    "keeps the cookie for two weeks if asked to",
    async () => {
      await logIn(true);
      const [cookie] = await browser.cookies();
      expect(cookie?.session).toBe(false);
      expect(cookie?.expires).toBeCloseTo(Date.now() / 1000 + 14 * DAY, -2);
    },
    TIMEOUT,
  );

  test(
    "keeps the login and the cart through a reload and a restart",
    async () => {
      await logIn();
      await browser.follow("button[value=cherry]");
      await browser.reload();
      expect(await shop.stop()).toBe(0);
      shop = await start();

      await visit("/cart");
      expect(await browser.text()).toMatch(/Log out[^]*Cherry pie[^]*€21\.00/);
    },
    TIMEOUT,
  );

  test(
    "does not send a form again on reload",
    async () => {
      await visit("/");
      await browser.follow("button[value=cherry]");
      expect(await browser.text()).toContain("Cherry pie is in your cart.");
      await browser.reload();
      expect(await browser.text()).not.toContain("Cherry pie is in your cart.");
      expect(await browser.evaluate("document.querySelector('.count').firstChild.data")).toBe("1");
    },
    TIMEOUT,
  );

  test(
    "shows nothing private to whoever presses Back after a logout",
    async () => {
      await logIn();
      await visit("/devices");
      expect(await browser.text()).toContain("This device");
      await browser.follow("form[action='/logout'] button");
      expect(await browser.text()).toContain("You are logged out.");

      await browser.back();
      expect(await browser.path()).toBe("/login");
      expect(await browser.text()).not.toMatch(/This device|Log out/);
    },
    TIMEOUT,
  );

  test(
    "X2: is not logged out by a form on another site",
    async () => {
      using evil = Bun.serve({
        port: 0,
        hostname: "127.0.0.1",
        fetch: () =>
          new Response(
            `<form method="post" action="http://localhost:${port}/logout"><button>Win!</button></form>`,
            { headers: { "content-type": "text/html" } },
          ),
      });
      await logIn();
      await browser.visit(evil.url);
      await browser.follow("button");
      expect(await browser.text()).toContain("This request comes from another site.");

      await visit("/cart");
      expect(await browser.text()).toContain("Log out");
    },
    TIMEOUT,
  );

  test(
    "obeys its own policy, and finds style sheet and icon",
    async () => {
      await visit("/");
      const styled = "getComputedStyle(document.querySelector('.card')).borderRadius";
      expect(await browser.evaluate(styled)).toBe("14px");
      const icon = "document.querySelector('.brand img').naturalWidth > 0";
      expect(await browser.evaluate(icon)).toBe(true);
    },
    TIMEOUT,
  );

  test(
    "needs no sideways scrolling, from 320 pixels of width on",
    async () => {
      await logIn();
      await browser.follow("button[value=blueberry]");
      for (const path of ["/", "/cart", "/devices"]) {
        await visit(path);
        for (const width of [320, 375, 768, 1280]) {
          await browser.resize(width, 800);
          const overflow =
            "document.documentElement.scrollWidth - document.documentElement.clientWidth";
          expect(await browser.evaluate(overflow)).toBe(0);
        }
      }
    },
    TIMEOUT,
  );
});
