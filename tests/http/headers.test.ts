import { afterEach, beforeEach, describe, expect, mock, spyOn, test } from "bun:test";
import { format } from "node:util";

import { addPrivacy, withCookie } from "../../src/http/headers.ts";

const LINE = "session_id=new; Path=/";

let warn: ReturnType<typeof spyOn<Console, "warn">>;

beforeEach(() => {
  warn = spyOn(console, "warn").mockImplementation(() => undefined);
});

afterEach(() => {
  mock.restore();
});

describe("addPrivacy", () => {
  test.each([
    [undefined, "Cookie"],
    ["Accept", "Accept, Cookie"],
    ["accept, COOKIE", "accept, COOKIE"],
    ["cookie", "cookie"],
    ["*", "*"],
    ["Cookie-Consent", "Cookie-Consent, Cookie"],
    ["X-Cookie", "X-Cookie, Cookie"],
  ])("K2: turns Vary %p into %p", (before, after) => {
    const headers = new Headers(before === undefined ? {} : { vary: before });
    expect(addPrivacy(headers).get("vary")).toBe(after);
  });

  test.each([
    [undefined, "private"],
    ["no-store", "no-store"],
    ["public, max-age=60", "public, max-age=60"],
  ])("D2: turns Cache-Control %p into %p", (before, after) => {
    const headers = new Headers(before === undefined ? {} : { "cache-control": before });
    expect(addPrivacy(headers).get("cache-control")).toBe(after);
  });
});

describe("withCookie", () => {
  test.each(["public, max-age=60", "max-age=60, PUBLIC"])(
    "K1: overrides %p, with a warning",
    (asked) => {
      const response = new Response("", { headers: { "cache-control": asked } });
      expect(withCookie(response, LINE, "session_id").headers.get("cache-control")).toBe(
        "no-store",
      );
      expect(warn).toHaveBeenCalledTimes(1);
      expect(String(warn.mock.calls[0])).toContain(asked);
    },
  );

  test("N2: escapes what the warning quotes", () => {
    const asked = "public, %c\x1b[31m";
    withCookie(new Response("", { headers: { "cache-control": asked } }), LINE, "session_id");
    const [text = "", ...values] = warn.mock.calls[0] ?? [];
    expect(format(text, ...values)).toContain('"Cache-Control: public, %c\\u{1b}[31m"');
  });

  test("K1: overrides `private` without a warning", () => {
    const response = new Response("", { headers: { "cache-control": "private, max-age=60" } });
    expect(withCookie(response, LINE, "session_id").headers.get("cache-control")).toBe("no-store");
    expect(warn).not.toHaveBeenCalled();
  });

  test("C7: keeps the app's own cookies, each on its own line, and replaces only its own", () => {
    const response = new Response("");
    const lines = ["a=1", "session_id=theirs", "b=2; Expires=Thu, 01 Jan 2037 00:00:00 GMT"];
    for (const line of [...lines, "session_id2=3"]) response.headers.append("set-cookie", line);
    expect(withCookie(response, LINE, "session_id").headers.getSetCookie()).toEqual([
      "a=1",
      "b=2; Expires=Thu, 01 Jan 2037 00:00:00 GMT",
      "session_id2=3",
      LINE,
    ]);
  });

  test("keeps status, type and body of a response with a body", async () => {
    // Bun settles the type of a text when it sends it: so this one has to be sent.
    await using server = Bun.serve({
      port: 0,
      fetch: () => withCookie(new Response("gone", { status: 410 }), LINE, "session_id"),
    });
    const response = await fetch(server.url);
    expect(response.status).toBe(410);
    expect(response.headers.get("content-type")).toBe("text/plain;charset=utf-8");
    expect(await response.text()).toBe("gone");
  });

  test.each(["", "a", new Blob(["a"])])(
    "K3: leaves the headers of a response with the body %p as they are",
    async (body) => {
      const response = new Response(body, { headers: { "x-a": "1" } });
      const answer = withCookie(response, LINE, "session_id");
      expect(response.headers.getSetCookie()).toEqual([]);
      expect(answer.headers.get("x-a")).toBe("1");
      expect(await answer.text()).toBe(body === "" ? "" : "a");
    },
  );

  test("keeps a stream a stream, and ends it when its reader disappears", async () => {
    const { promise: cancelled, resolve } = Promise.withResolvers<unknown>();
    const stream = new ReadableStream({
      pull: (controller) => controller.enqueue(new TextEncoder().encode("chunk")),
      cancel: resolve,
    });
    const { body } = withCookie(new Response(stream), LINE, "session_id");
    const reader = body?.getReader();
    const chunk = await reader?.read();
    expect(new TextDecoder().decode(chunk?.value)).toBe("chunk");
    await reader?.cancel("gone away");
    await cancelled;
  });

  test("leaves no rejection without a handler behind if the stream cannot be cancelled", async () => {
    const stream = new ReadableStream({ cancel: () => Promise.reject(new Error("It goes on.")) });
    const { body } = withCookie(new Response(stream), LINE, "session_id");
    await expect(body?.cancel() ?? undefined).rejects.toThrow("It goes on.");
    await new Promise((resolve) => setImmediate(resolve));
  });
});
