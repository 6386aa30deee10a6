import { describe, expect, test } from "bun:test";

import type { LogEntry } from "bunpie";
import { App, redirect } from "bunpie";

import { TestClient } from "../../src/testing/client.ts";

const HOME = redirect("/");

class Site extends App {
  readonly _reported: string[] = [];

  index() {
    return "no id";
  }

  id() {
    return `${this.request.id} ${this.request.id}`;
  }

  home() {
    return this.request.id === "" ? "" : HOME;
  }

  bug() {
    throw new Error("bug");
  }

  override onReport() {
    this._reported.push(this.request.id);
  }
}

async function send(path: string, brought?: string) {
  const headers = brought === undefined ? {} : { "x-request-id": brought };
  const response = await new TestClient(new Site()).send(path, { headers });
  return { text: await response.text(), sent: response.headers.get("x-request-id") };
}

describe("a request's id", () => {
  test("is a new UUID of version 7, always the same, and sent with the response", async () => {
    const { text, sent } = await send("/id");
    expect(sent).toMatch(/^[\da-f]{8}-[\da-f]{4}-7[\da-f]{3}-[\da-f]{4}-[\da-f]{12}$/);
    expect(text).toBe(`${sent} ${sent}`);
  });

  test.each(["a", "Root-1.67891233_abcdef", "x".repeat(64)])(
    "is the one that was received: %s",
    async (id) => {
      expect(await send("/id", id)).toEqual({ text: `${id} ${id}`, sent: id });
    },
  );

  test.each(["", "x".repeat(65), "a b", "a/b", 'a"b', "\u00e9"])(
    "is not the one that was received if that is malformed: %p",
    async (id) => {
      expect((await send("/id", id)).sent).toHaveLength(36);
    },
  );

  test("is not created unless it is read", async () => {
    expect((await send("/", "brought")).sent).toBeNull();
  });

  test("is not left behind on a response that the app keeps", async () => {
    expect((await send("/home", "mine")).sent).toBe("mine");
    expect(HOME.headers.has("x-request-id")).toBeFalse();
  });

  test("is available in onReport, and sent with the response to the error", async () => {
    const site = new Site();
    const response = await new TestClient(site).send("/bug");
    expect(site._reported).toEqual([response.headers.get("x-request-id") as string]);
  });

  test("is created for the log, and sent with the response", async () => {
    const entries: LogEntry[] = [];
    const response = await new TestClient(new App({ log: (entry) => entries.push(entry) })).send(
      "/",
    );
    expect(entries.map(({ id }) => id)).toEqual([response.headers.get("x-request-id") as string]);
  });
});
