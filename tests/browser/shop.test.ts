import {
  afterAll,
  afterEach,
  beforeAll,
  beforeEach,
  describe,
  expect,
  setDefaultTimeout,
  test,
} from "bun:test";
import { join } from "node:path";

import { Folder } from "../support/folder.ts";
import { Browser, hasBrowser, serveForm } from "../support/processes/browser.ts";
import { freePort } from "../support/processes/free-port.ts";
import { ServedApp } from "../support/processes/served-app.ts";

const DAY = 24 * 60 * 60;
const SHOP = join(import.meta.dir, "../../examples/shop/app.ts");
setDefaultTimeout(120_000);

describe.skipIf(!hasBrowser)("the shop, in Chromium", () => {
  let folder: Folder;
  let port: number;
  let shop: ServedApp;
  let browser: Browser;

  const start = (env: Record<string, string> = {}): Promise<ServedApp> =>
    ServedApp.start(SHOP, {
      flags: ["--hot"],
      env: { PORT: String(port), SHOP_FOLDER: folder.path, ...env },
    });
  const visit = (path: string, tab = browser, host = "localhost"): Promise<void> =>
    tab.visit(`http://${host}:${port}${path}`);

  async function logIn(remember = false): Promise<void> {
    await visit("/login");
    await browser.fill("[name=login]", "ann");
    await browser.fill("[name=password]", "flaky pastry");
    if (remember) await browser.evaluate("document.querySelector('[name=remember]').click()");
    await browser.follow(".fields button");
    expect(await browser.text()).toContain("Welcome, Ann.");
  }

  beforeAll(async () => {
    folder = new Folder();
    port = await freePort();
    shop = await start();
  });

  afterAll(async () => {
    await shop.stop();
    folder.remove();
  });

  beforeEach(async () => {
    browser = new Browser();
    await visit("/icon");
    await browser.forgetCookies();
  });

  afterEach(() => browser[Symbol.dispose]());

  test("C1: keeps the session's cookie from scripts, from other sites and from the disk", async () => {
    await logIn();
    const [cookie, ...others] = await browser.cookies();
    expect(others).toEqual([]);
    expect(cookie).toMatchObject({
      name: "shop_session",
      httpOnly: true,
      secure: false, // for phones that come by plain http while you develop
      sameSite: "Lax",
      session: true,
    });
    expect(await browser.evaluate("document.cookie")).toBe("");
  });

  test("C1: marks the cookie as Secure in production", async () => {
    await shop.stop();
    shop = await start({ NODE_ENV: "production" });
    await logIn();
    expect(await browser.cookies()).toMatchObject([{ name: "session_id", secure: true }]);
    await visit("/");
    expect(await browser.text()).toContain("Processes are killed in development only.");
    await shop.stop();
    shop = await start();
  });

  test("keeps the cookie for two weeks on request", async () => {
    await logIn(true);
    const [cookie] = await browser.cookies();
    expect(cookie?.session).toBe(false);
    expect(cookie?.expires).toBeCloseTo(Date.now() / 1000 + 14 * DAY, -2);
  });

  test("keeps the login and the cart through a reload and a restart", async () => {
    await logIn();
    await browser.click("#cherry button");
    await browser.until("document.querySelector('.count').firstChild.data === '1'");
    await browser.reload();
    expect(await shop.stop()).toBe(0);
    shop = await start();

    await visit("/cart");
    expect(await browser.text()).toMatch(/Log out[^]*Cherry pie[^]*€21\.00/);
  });

  test("does not submit a form again on reload", async () => {
    await browser.disableScripts();
    await visit("/");
    await browser.follow("#cherry button");
    expect(await browser.text()).toContain("Cherry pie is in your cart.");
    await browser.reload();
    expect(await browser.text()).not.toContain("Cherry pie is in your cart.");
    expect(await browser.evaluate("document.querySelector('.count').firstChild.data")).toBe("1");
  });

  test("shows nothing private to a visitor who presses Back after a logout", async () => {
    await logIn();
    await visit("/account");
    expect(await browser.text()).toContain("This browser");
    await browser.follow("form[action='/logout'] button");
    expect(await browser.text()).toContain("You are logged out.");

    await browser.back();
    expect(await browser.path()).toBe("/login");
    expect(await browser.text()).not.toMatch(/This browser|Log out/);
  });

  test("X2: is not logged out by a form on another site", async () => {
    using evil = serveForm(`http://localhost:${port}/logout`);
    await logIn();
    await browser.visit(evil.url);
    await browser.follow("button");
    expect(await browser.text()).toContain("This request comes from another site");

    await visit("/cart");
    expect(await browser.text()).toContain("Log out");
  });

  test("follows its own content security policy, and finds style sheet, script and icon", async () => {
    await visit("/");
    const styled = "getComputedStyle(document.querySelector('.card')).borderRadius";
    expect(await browser.evaluate(styled)).toBe("14px");
    const icon = "document.querySelector('.brand img').naturalWidth > 0";
    expect(await browser.evaluate(icon)).toBe(true);
    await browser.click("#race button");
    await browser.until("document.querySelector('#race .kept') !== null");
  });

  test("adds a pie by keyboard alone, and keeps place and focus", async () => {
    await visit("/");
    await browser.press("Tab");
    expect(await browser.evaluate("document.activeElement.textContent")).toBe(
      "Skip to the content",
    );
    await browser.press("Enter");
    for (;;) {
      await browser.press("Tab");
      if ((await browser.evaluate("document.activeElement.closest('#pecan') !== null")) === true)
        break;
    }
    const before = await browser.evaluate("scrollY");
    expect(before).toBeGreaterThan(0);
    await browser.press("Enter");
    await browser.until("document.querySelector('.count').firstChild.data === '1'");
    expect(await browser.text()).toContain("Pecan pie is in your cart.");
    expect(await browser.evaluate("scrollY")).toBe(before);
    expect(await browser.evaluate("document.activeElement.closest('#pecan') !== null")).toBe(true);
  });

  test("demonstrates race and crash, with and without scripts", async () => {
    for (const areScriptsOn of [true, false]) {
      if (!areScriptsOn) await browser.disableScripts();
      await browser.forgetCookies();
      await visit("/");
      for (const proof of ["race", "crash"]) {
        if (!areScriptsOn) await browser.follow(`#${proof} button`);
        else await browser.click(`#${proof} button`);
        await browser.until(`document.querySelector('#${proof} .kept') !== null`);
      }
      const text = await browser.text();
      expect(text).toMatch(/\d+ of 50\s+session\.update\s+50 of 50/);
      expect(text).toMatch(/down\s+Still Ann with 3 pies/);
    }
  });

  test("signs out another window, which reports it by itself", async () => {
    using other = new Browser();
    await visit("/");
    await browser.follow("#elsewhere button[value=ben]");
    expect(await browser.path()).toBe("/");
    await browser.click("#elsewhere button");
    await browser.until("document.querySelector('.pass a') !== null");
    const link = String(await browser.evaluate("document.querySelector('.pass a').href"));
    await other.visit(link); // on 127.0.0.1, where the cookies are others
    await other.follow("main button");
    expect(await other.text()).toContain("Welcome, Ben.");

    // The first window has heard of it.
    await browser.until("document.querySelector('.others button') !== null");
    await browser.click(".others button");
    await other.until("location.pathname.startsWith('/account/ended/')");
    await other.until("document.readyState === 'complete'");
    expect(await other.text()).toMatch(/Signed out from Chrome \d+ on Linux at \d\d:\d\d\./);
    await browser.until("document.querySelector('.others button') === null");
    expect(await browser.text()).toContain("Log out");
  });

  test("shows a line of the chat in another window, and a login on the live page", async () => {
    using reader = new Browser();
    using watcher = new Browser();
    await visit("/chat", reader, "127.0.0.1");
    await visit("/live", watcher, "127.0.0.1");
    await logIn();
    await watcher.until("document.querySelector('.events').innerText.includes('Ann logged in')");

    await visit("/chat");
    await browser.fill("[name=text]", "Is it <b>vegan</b>?");
    await browser.press("Enter");
    await reader.until("document.querySelector('.messages').innerText.includes('<b>vegan</b>?')");
    await browser.until("document.querySelector('[name=text]')?.value === ''");
  });
});
