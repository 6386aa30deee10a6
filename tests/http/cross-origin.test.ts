import { describe, expect, test } from "bun:test";

import { App, routes } from "bunpie";

import { TestClient } from "../../src/testing/client.ts";
import { exchange, head } from "../support/raw.ts";
import { serve } from "../support/serve.ts";

const OWN = "http://localhost:3000";
const TRUSTED = "https://admin.example.com";
const UNSAFE = ["POST", "PUT", "PATCH", "DELETE"] as const;

class Site extends App {
  calls = 0;
  #answer = (): string => {
    this.calls++;
    return "written";
  };
  verbs = {
    GET: this.#answer,
    POST: this.#answer,
    PUT: this.#answer,
    PATCH: this.#answer,
    DELETE: this.#answer,
  };
  users = routes({ "/:id": this.verbs });

  method() {
    return this.#answer();
  }
}

/** How the site answers a request with these headers, and whether a handler ran. */
async function outcome(path: string, method: string, headers: Record<string, string>) {
  const site = new Site({ trustedOrigins: [TRUSTED] });
  const { status } = await new TestClient(site).send(path, { method, headers });
  return { status, calls: site.calls };
}

const REFUSED = { status: 403, calls: 0 };
const LET_IN = { status: 200, calls: 1 };

describe.each([
  ["/method", ["POST"]],
  ["/verbs", UNSAFE],
  ["/users/7", UNSAFE],
] as const)("refuseCrossOrigin on %s", (path, verbs) => {
  describe.each([...verbs])("%s", (method) => {
    test.each([
      ["a cross-site Sec-Fetch-Site", { "sec-fetch-site": "cross-site" }],
      ["a same-site Sec-Fetch-Site", { "sec-fetch-site": "same-site" }],
      ["an unknown Sec-Fetch-Site", { "sec-fetch-site": "Same-Origin" }],
      [
        "a cross-site Sec-Fetch-Site beside our own Origin",
        { "sec-fetch-site": "cross-site", origin: OWN },
      ],
      ["a foreign Origin", { origin: "https://evil.example" }],
      ["another port's Origin", { origin: "http://localhost:3001" }],
      ["an Origin that begins like ours", { origin: "http://localhost:3000.evil.example" }],
      ["an Origin that ends like ours", { origin: "http://evil-localhost:3000" }],
      ["an Origin with our host as user", { origin: "http://localhost:3000@evil.example" }],
      ["the Origin null", { origin: "null" }],
      ["an empty Origin", { origin: "" }],
      ["a malformed Origin", { origin: "localhost:3000" }],
      ["a trusted Origin with a trailing slash", { origin: `${TRUSTED}/` }],
      ["a trusted Origin under http", { origin: "http://admin.example.com" }],
    ])("X2: refuses %s", async (_, headers) => {
      expect(await outcome(path, method, headers)).toEqual(REFUSED);
    });

    test.each([
      ["a request without these headers", {}],
      ["the Sec-Fetch-Site same-origin", { "sec-fetch-site": "same-origin" }],
      ["the Sec-Fetch-Site none", { "sec-fetch-site": "none" }],
      ["our own Origin", { origin: OWN }],
      ["our own Origin before a proxy that ends TLS", { origin: "https://localhost:3000" }],
      ["a trusted Origin", { origin: TRUSTED }],
      [
        "a trusted Origin beside a cross-site Sec-Fetch-Site",
        { origin: TRUSTED, "sec-fetch-site": "cross-site" },
      ],
    ])("X2: accepts %s", async (_, headers) => {
      expect(await outcome(path, method, headers)).toEqual(LET_IN);
    });
  });

  test.each(["GET", "HEAD"])("X2: accepts %s from every origin", async (method) => {
    const headers = { "sec-fetch-site": "cross-site", origin: "https://evil.example" };
    expect(await outcome(path, method, headers)).toEqual(LET_IN);
  });
});

describe("refuseCrossOrigin", () => {
  test("says how to allow an origin", async () => {
    const headers = { "sec-fetch-site": "cross-site" };
    const response = await new TestClient(new Site()).send("/method", { method: "POST", headers });
    expect(await response.text()).toContain("`trustedOrigins`");
  });

  test("X2: refuses the Origin null even if the Host header is empty", async () => {
    const site = new Site();
    await using server = serve(site);
    const headers = { host: "", "content-length": "0", origin: "null" };
    const answer = await exchange(server.port, head("POST /method HTTP/1.1", headers));
    expect(answer).toStartWith("HTTP/1.1 403");
    expect(site.calls).toBe(0);
  });
});

describe("trustedOrigins", () => {
  test.each([
    "https://example.com/",
    "https://example.com/app",
    "https://user@example.com",
    "https://EXAMPLE.com",
    "https://example.com:443",
    "example.com",
    "*",
    "null",
    "",
  ])("refuses the trusted origin %j at construction, with the remedy", (origin) => {
    expect(() => new App({ trustedOrigins: [origin] })).toThrow(
      new TypeError(
        `\`trustedOrigins\` has "${origin}", which is not an origin. Write a scheme, a host and, if needed, a port, without a slash at the end, such as "https://example.com".`,
      ),
    );
  });

  test.each(["https://example.com", "http://localhost:5173", "http://[::1]:3000"])(
    "accepts the trusted origin %j",
    (origin) => {
      expect(() => new App({ trustedOrigins: [origin] })).not.toThrow();
    },
  );
});
