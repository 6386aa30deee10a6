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

import axe from "axe-core";

import { openDatabase } from "../../examples/shop/database.ts";
import { Shop } from "../../examples/shop/shop.ts";
import { InMemorySessionBackend } from "../../src/index.ts";
import { Browser, hasBrowser, serveForm } from "../support/processes/browser.ts";
import { quiet } from "../support/quiet.ts";

setDefaultTimeout(120_000);

/** Pages that a user sees, the first one with all that the proofs can show. */
const PAGES = ["/", "/cart", "/order", "/account", "/chat", "/live"];
const PAGES_OF_VISITORS = [
  "/",
  "/cart",
  "/login?returnTo=/account",
  "/signup",
  "/chat",
  "/account/ended/x",
];
const ERRORS = { "/nothing": 404, "/add": 405, "/join/used": 410, "/broken": 500 };

/** The shop with a bug, and a clock and a store to interfere with. */
class TestShop extends Shop {
  static store = new InMemorySessionBackend();
  static lead = 0;

  constructor() {
    super(
      TestShop.store,
      {
        db: openDatabase(":memory:"),
        backendName: "memory",
        crash: () => Promise.resolve({ killed: 1, survivor: 2, down: 5, name: "Ann", pies: 3 }),
        now: Date.now,
      },
      { now: () => Date.now() + TestShop.lead, cookie: { secure: false } },
    );
  }

  broken(): never {
    throw new Error("A bug.");
  }
}

describe.skipIf(!hasBrowser)("the accessible shop", () => {
  let server: Bun.Server<unknown>;
  let browser: Browser;
  let shop: TestShop;

  const visit = (path: string): Promise<void> => browser.visit(new URL(path, server.url));

  /** What axe-core, once loaded, finds wrong with the page by all rules or by these, in words. */
  async function findViolations(rules?: readonly string[]): Promise<unknown> {
    const options = JSON.stringify({ resultTypes: ["violations"], runOnly: rules });
    const report = `axe.run(${options}).then(({ violations }) => JSON.stringify(violations.map(({ id, nodes }) => [id, ...nodes.map(({ target }) => target.join(' '))])))`;
    return JSON.parse(String(await browser.evaluate(report)));
  }

  /** The page on a desk and on a phone, by day and at night: contrast depends on both, other rules on one. */
  async function check(): Promise<void> {
    await browser.evaluate(`void (() => { ${axe.source} })()`);
    for (const [scheme, width, rules] of [
      ["light", 1280, undefined],
      ["dark", 1280, ["color-contrast"]],
      ["dark", 360, undefined],
      ["light", 360, ["color-contrast"]],
    ] as const) {
      await browser.emulate({ scheme });
      await browser.resize(width, 800);
      expect(await findViolations(rules)).toEqual([]);
    }
  }

  /** In how many rows these elements are. */
  function countRows(selector: string): Promise<unknown> {
    return browser.evaluate(
      `new Set([...document.querySelectorAll(${JSON.stringify(selector)})].map((each) => Math.round(each.getBoundingClientRect().y))).size`,
    );
  }

  function countVisible(selector: string): Promise<unknown> {
    return browser.evaluate(
      `[...document.querySelectorAll(${JSON.stringify(selector)})].filter((each) => each.checkVisibility()).length`,
    );
  }

  async function logIn(): Promise<void> {
    await visit("/login");
    await browser.follow("button[value=ann]");
  }

  /** A user with a pie, an order, an open link, a second browser and the results of the proofs. */
  async function fillShop(): Promise<void> {
    const steps = [
      ["/add", { product: "cherry" }],
      ["/order", {}],
      ["/add", { product: "lime" }],
      ["/add", { product: "blueberry" }],
      ["/chat", { text: "Is the lime pie vegan?" }],
      ["/proofs/race", {}],
      ["/proofs/crash", {}],
      ["/proofs/other", {}],
    ];
    await browser.evaluate(
      `(async () => {
        for (const [path, fields] of ${JSON.stringify(steps)})
          await fetch(path, { method: "POST", body: new URLSearchParams(fields), redirect: "manual" });
      })()`,
    );
    await fetch(new URL("/login", server.url), {
      method: "POST",
      body: new URLSearchParams({ as: "ann" }),
      redirect: "manual",
    });
  }

  beforeAll(async () => {
    shop = new TestShop();
    using _ = quiet("info");
    server = shop.listen({ port: 0, hostname: "localhost" });
    await shop.start();
  });

  afterAll(() => shop.close());

  beforeEach(async () => {
    browser = new Browser();
    await visit("/icon");
    await browser.forgetCookies();
  });

  afterEach(() => browser[Symbol.dispose]());

  test("has no axe-core findings on what visitors see", async () => {
    for (const path of PAGES_OF_VISITORS) {
      await visit(path);
      await check();
    }
    await browser.follow("nav a"); // back to the pies, and open what is behind them
    await browser.click("summary");
    await check();
  });

  test("has no axe-core findings on what users see", async () => {
    await logIn();
    await fillShop();
    for (const path of PAGES) {
      await visit(path);
      await check();
    }
  });

  test("has no axe-core findings on rejected forms, and on the password's confirmation", async () => {
    await visit("/login");
    await browser.fill("[name=login]", "ann");
    await browser.fill("[name=password]", "wrong");
    await browser.follow(".fields button");
    await check();
    await visit("/signup");
    await browser.fill("[name=name]", "Ann");
    await browser.fill("[name=password]", "long enough");
    await browser.follow(".fields button");
    expect(await browser.text()).toContain("is taken");
    await check();
    await logIn();
    TestShop.lead = 10 * 60_000;
    for (const path of ["/login", "/account"]) {
      await visit(path);
      expect(await browser.text()).toMatch(/confirm your password/i);
      await check();
    }
    TestShop.lead = 0;
  });

  test("has no axe-core findings on error pages", async () => {
    using _ = quiet("error");
    for (const [path, status] of Object.entries(ERRORS)) {
      await visit(path);
      expect(await browser.text()).toContain(`Error ${status}`);
      await check();
    }

    using evil = serveForm(new URL("/logout", server.url).href);
    await browser.visit(evil.url);
    await browser.follow("button");
    expect(await browser.text()).toContain("Error 403");
    await check();

    await logIn();
    const { read } = TestShop.store;
    TestShop.store.read = () => {
      throw new Error("Down.");
    };
    await visit("/cart");
    expect(await browser.text()).toContain("Error 503");
    await check();
    TestShop.store.read = read;
  });

  test("needs no horizontal scrolling at 320 pixels or more, nor with text of twice the size", async () => {
    await logIn();
    await fillShop();
    for (const path of [...PAGES, "/nothing", "/signup"]) {
      await visit(path);
      for (const [width, size] of [
        [320, 100],
        [768, 100],
        [1280, 100],
        [360, 200],
        [1280, 200],
      ] as const) {
        await browser.resize(width, 800);
        await browser.evaluate(`document.documentElement.style.fontSize = "${size}%"`);
        const overflow =
          "document.documentElement.scrollWidth - document.documentElement.clientWidth";
        expect([path, width, size, await browser.evaluate(overflow)]).toEqual([
          path,
          width,
          size,
          0,
        ]);
      }
    }
  });

  test("keeps navigation and a line of the cart together at each width", async () => {
    await logIn();
    await fillShop();
    await visit("/cart");
    for (const width of [320, 360, 600, 640, 680, 768]) {
      await browser.resize(width, 800);
      const rows: unknown[] = [];
      for (const selector of [".brand, nav a", ".who > *", "li.lime button"])
        rows.push(await countRows(selector));
      expect([width, ...rows]).toEqual([width, 1, 1, 1]);
    }
  });

  test("prints text, and no buttons", async () => {
    await logIn();
    await fillShop();
    for (const path of ["/", "/cart", "/account", "/chat", "/live"]) {
      await visit(path);
      await browser.emulate({ media: "print" });
      expect(await countVisible("button, input, nav, .strip")).toBe(0);
    }
    // The list of events is not cut off where it would scroll.
    const maxHeight = "getComputedStyle(document.querySelector('.events')).maxHeight";
    expect(await browser.evaluate(maxHeight)).toBe("none");
    await visit("/");
    expect(await countVisible(".lead")).toBe(0); // It is about the trials' buttons.
    expect(await countVisible(".price")).toBe(6);
  });
});
