import { describe, expect, test } from "bun:test";

import { App, routes } from "bunpie";

import { TestClient } from "../../src/testing/client.ts";

/** A page of each kind that there is, each of which changes what is in the cart. */
class Forms extends App<{ cart: string }> {
  cart = {
    GET: () => this.request.session.cart ?? "",
    DELETE: () => this._put(""),
  };
  shelf = { PUT: (item: string) => this._put(item) };
  shelves = routes({ "/:id/:item": { PATCH: (_id, item) => this._put(item) } });

  index(item: string): void {
    this._put(item);
  }

  put(item: string): void {
    this._put(item);
  }

  fill(): void {
    this._put("everything");
  }

  _put(item: string): void {
    this.request.session.cart = item;
  }
}

describe("another site's write", () => {
  // React Router (CVE-2026-22030) checked the origin on one of its ways to the handlers only.
  test.each([
    ["a method", "POST", "/fill"],
    ["a method with a segment", "POST", "/put/pie"],
    ["a field's handler", "DELETE", "/cart"],
    ["a field's handler with a segment", "PUT", "/shelf/pie"],
    ["index with a segment", "POST", "/pie"],
    ["a pattern", "PATCH", "/shelves/3/pie"],
  ])("X2: is refused for every kind of page: %s", async (_, method, path) => {
    const site = new Forms();
    const browser = new TestClient(site);
    await browser.send("/put/tea", { method: "POST" });
    const origin = "https://evil.example";
    for (const headers of [{ origin, "sec-fetch-site": "cross-site" }, { origin }]) {
      expect((await browser.send(path, { method, headers })).status).toBe(403);
      expect(await browser.text("/cart")).toBe("tea");
    }
    expect((await browser.send(path, { method })).status).toBeWithin(200, 205);
    expect(await browser.text("/cart")).not.toBe("tea");
    await site.close();
  });
});
