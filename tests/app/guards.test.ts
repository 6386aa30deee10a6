import { describe, expect, test } from "bun:test";

import { App } from "bunpie";

import { TestClient } from "../../src/testing/client.ts";
import { FakeClock } from "../support/clock.ts";

const BROWSER = { headers: { accept: "text/html,*/*" } };

class Site extends App {
  login = {
    GET: () => "the form",
    POST: () => {
      this.request.session.login("ann");
      return this.redirectBack("/home");
    },
  };

  account() {
    return this.requireLogin();
  }

  erase = { POST: () => this.requireLogin({ fresh: 300 }) };

  back() {
    return this.redirectBack("/home");
  }
}

describe("requireLogin", () => {
  test("returns the user's id", async () => {
    const client = new TestClient(new Site());
    await client.post("/login");
    expect(await client.text("/account")).toBe("ann");
  });

  test("sends a browser to the login page, and back afterwards", async () => {
    const client = new TestClient(new Site());
    const refused = await client.send("/account?tab=2", BROWSER);
    expect([refused.status, refused.headers.get("location")]).toEqual([
      303,
      "/login?returnTo=%2Faccount%3Ftab%3D2",
    ]);
    const login = await client.send(refused.headers.get("location") ?? "", {
      method: "POST",
      ...BROWSER,
    });
    expect(login.headers.get("location")).toBe("/account?tab=2");
    expect(await client.text("/account?tab=2", BROWSER)).toBe("ann");
  });

  test("sends a browser whose form came too late to the login page, and no further", async () => {
    const response = await new TestClient(new Site()).send("/erase", {
      method: "POST",
      ...BROWSER,
    });
    expect([response.status, response.headers.get("location")]).toEqual([303, "/login"]);
  });

  test.each([undefined, "*/*", "application/json"])(
    "answers a client that accepts %p with 401",
    async (accept) => {
      const headers: Record<string, string> = accept === undefined ? {} : { accept };
      const response = await new TestClient(new Site()).send("/account", { headers });
      expect(response.status).toBe(401);
      expect(await response.text()).toContain("Please log in.");
    },
  );

  test("asks for the password again if the login is too old", async () => {
    const clock = new FakeClock();
    const client = new TestClient(new Site({ session: { now: clock.now } }));
    await client.post("/login");
    clock.advance(299_000);
    expect((await client.post("/erase")).status).toBe(200);
    clock.advance(2_000);
    const response = await client.post("/erase");
    expect([response.status, await response.text()]).toEqual([
      401,
      "Please log in again to confirm this.",
    ]);
    expect((await client.send("/account")).status).toBe(200);
  });

  test.each([
    ["/enter", "/enter?returnTo=%2F"],
    ["/enter?lang=de", "/enter?lang=de&returnTo=%2F"],
    ["/enter#form", "/enter?returnTo=%2F#form"],
    ["/enter?lang=de#form?", "/enter?lang=de&returnTo=%2F#form?"],
  ])("accepts %s as the login page", async (loginPage, location) => {
    class Members extends App {
      index() {
        return this.requireLogin();
      }
    }
    const client = new TestClient(new Members({ loginPage }));
    expect((await client.send("/", BROWSER)).headers.get("location")).toBe(location);
  });
});

describe("redirectBack", () => {
  test.each([
    ["/a?b=c#d", "/a?b=c#d"],
    ["http://localhost:3000/a", "/a"],
    ["https://localhost:3000/a", "/a"],
    ["https://evil.example/a", "/home"],
    ["//evil.example/a", "/home"],
    ["/\\evil.example", "/home"],
    ["\\\\evil.example", "/home"],
    ["http://localhost:3000//evil.example", "/home"],
    ["javascript:alert(1)", "/home"],
    ["http://localhost:3000@evil.example/", "/home"],
    ["http://[", "/home"],
    ["/back", "/home"],
    [undefined, "/home"],
  ])("from %p leads to %s", async (from, location) => {
    const client = new TestClient(new Site());
    const noted = from === undefined ? "/back" : `/back?returnTo=${encodeURIComponent(from)}`;
    const referer = from === undefined || from.startsWith("\\") ? {} : { referer: from };
    expect((await client.send(noted)).headers.get("location")).toBe(location);
    const response = await client.send("/back", { headers: referer });
    expect([response.status, response.headers.get("location")]).toEqual([
      303,
      from?.startsWith("\\") === true ? "/home" : location,
    ]);
  });
});
