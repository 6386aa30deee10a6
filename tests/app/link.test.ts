import { describe, expect, expectTypeOf, test } from "bun:test";

import type { Files, Socket } from "bunpie";
import { App, routes } from "bunpie";

import type { LinkArguments } from "../../src/app/link.ts";

class Site extends App {
  cart = { GET: () => "", POST: () => "" };
  item = { POST: (id: string) => id };
  index = routes({ "/": () => "", "/shop/:kind?": () => "" });
  files = routes({ "/*": () => "" });

  greet(name: string) {
    return name;
  }

  range(from: string, to: string) {
    return from + to;
  }
}

const site = new Site();

describe("this.link", () => {
  test.each([
    [() => site.link(site.greet, "Ann"), "/greet/Ann"],
    [() => site.link(site.greet, "Jürgen & Co"), "/greet/J%C3%BCrgen%20%26%20Co"],
    [() => site.link(site.greet, 7), "/greet/7"],
    [() => site.link(site.range, 1, 2), "/range/1/2"],
    [() => site.link(site.cart), "/cart"],
    [() => site.link(site.item, "9"), "/item/9"],
    [() => site.link(site.index, "/"), "/"],
    [() => site.link(site.index, "/shop/:kind?"), "/shop"],
    [() => site.link(site.index, "/shop/:kind?", "pies"), "/shop/pies"],
    [() => site.link(site.files, "/*", "a", "b c"), "/files/a/b%20c"],
  ])("builds the path of a page: %#", (make, path) => {
    expect(make()).toBe(path);
  });

  test.each(["", ".", "..", "a/b", "a\\b", "a\0"])("refuses %j as a segment", (value) => {
    expect(() => site.link(site.greet, value)).toThrow(
      `A link to "/greet/:1" got ${JSON.stringify(value)} for a segment.`,
    );
  });

  test("leaves out optional segments from the end only", () => {
    class Calendar extends App {
      days = routes({ "/:year?/:month?/:day?": () => "" });
    }
    const calendar = new Calendar();
    // Only with exactOptionalPropertyTypes is `undefined` a type error.
    const link = (...values: unknown[]): string =>
      calendar.link(calendar.days, "/:year?/:month?/:day?", ...(values as number[]));
    expect([link(), link(undefined), link(2025, undefined), link(2025, 3, 1)]).toEqual([
      "/days",
      "/days",
      "/days/2025",
      "/days/2025/3/1",
    ]);
    for (const values of [
      [undefined, 3],
      [2025, undefined, 1],
    ]) {
      expect(() => link(...values)).toThrow(
        new TypeError(
          'A link to "/days/:year?/:month?/:day?" got a value after a segment that is left out. Pass a value for that one too.',
        ),
      );
    }
  });

  test("checks by type how many segments each kind of page takes", () => {
    type Rest<Page> = LinkArguments<Page>;
    type Value = string | number;
    expectTypeOf<Rest<Site["greet"]>>().toEqualTypeOf<[name: Value]>();
    expectTypeOf<Rest<Site["cart"]>>().toEqualTypeOf<[]>();
    expectTypeOf<Rest<{ GET: () => ""; POST: (id: string) => "" }>>().toEqualTypeOf<
      [] | [id: Value]
    >();
    expectTypeOf<Rest<Site["index"]>>().toEqualTypeOf<
      [pattern: "/"] | [pattern: "/shop/:kind?", segment?: Value]
    >();
    // oxlint-disable-next-line typescript/no-explicit-any
    expectTypeOf<Rest<(name: any) => "">>().toBeArray();
    expectTypeOf<Rest<(socket: Socket, room: string) => void>>().toEqualTypeOf<[room: Value]>();
    expectTypeOf<Rest<(socket: Socket) => void>>().toEqualTypeOf<[]>();
    expectTypeOf<Rest<Bun.HTMLBundle>>().toEqualTypeOf<[]>();
    expectTypeOf<Rest<Files>>().toEqualTypeOf<readonly Value[]>();
  });

  test("refuses what is not a page", () => {
    expect(() => site.link(() => "")).toThrow("this.link() got something that is not a page.");
  });

  test("refuses a surplus value, a missing one, and an unknown pattern", () => {
    // @ts-expect-error A page without parameters.
    expect(() => site.link(site.cart, "x")).toThrow('A link to "/cart" got 1 values');
    // @ts-expect-error The name is missing.
    expect(() => site.link(site.greet)).toThrow('A link to "/greet/:1" got undefined');
    // @ts-expect-error No such pattern.
    expect(() => site.link(site.index, "/nothing")).toThrow('this.link() got "/nothing"');
    // @ts-expect-error Another page's pattern.
    expect(() => site.link(site.files, "/shop/:kind?")).toThrow('this.link() got "/shop/:kind?"');
    // @ts-expect-error No page at all.
    expect(() => site.link("greet")).toThrow("this.link() got something that is not a page.");
    // @ts-expect-error The second value is missing.
    expect(() => site.link(site.range, 1)).toThrow('A link to "/range/:1/:2" got');
    // @ts-expect-error A date is no segment.
    expect(() => site.link(site.greet, new Date(0))).toThrow("for a segment");
    // @ts-expect-error Nor is a bigint.
    expect(() => site.link(site.greet, 7n)).toThrow('A link to "/greet/:1" got 7n for a segment.');
  });
});
