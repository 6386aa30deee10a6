import { describe, expect, expectTypeOf, test } from "bun:test";

import { type } from "arktype";
import type { AppRequest, Problem } from "bunpie";
import { html, HttpError, InvalidInput } from "bunpie";
import * as v from "valibot";
import { z } from "zod";

import { toRecord } from "../../src/app/validate.ts";
import { TestClient } from "../../src/testing/client.ts";
import type { Read } from "../support/probe.ts";
import { answer, multipart, post, Probe } from "../support/probe.ts";
import { quiet } from "../support/quiet.ts";

const SCHEMAS = [
  ["zod", z.object({ title: z.string().min(1), tags: z.array(z.string()), done: z.stringbool() })],
  [
    "valibot",
    v.object({
      title: v.pipe(v.string(), v.minLength(1)),
      tags: v.array(v.string()),
      done: v.pipe(
        v.picklist(["true", "false"]),
        v.transform((text) => text === "true"),
      ),
    }),
  ],
  [
    "arktype",
    type({
      title: "string > 0",
      tags: "string[]",
      done: type("'true' | 'false'").pipe((text) => text === "true"),
    }),
  ],
] as const;

const GOOD = "title=A&tags[]=x&done=true";
const BAD = "title=&tags=x&done=maybe";
const OUTPUT = { title: "A", tags: ["x"], done: true };
const JSON_TYPE = "application/json";

/** What `read` returns or throws for a request. */
async function ask(read: Read, path: string, init?: RequestInit): Promise<unknown> {
  let result: unknown;
  const app = new Probe(async (request) => {
    result = await Promise.resolve(read(request)).catch((error) => error);
  });
  await new TestClient(app).send(path, init);
  return result;
}

describe.each(SCHEMAS)("a schema of %s", (_, schema) => {
  test.each([
    ["query", (request: AppRequest<object>) => request.query(schema), `/page?${GOOD}`, undefined],
    ["form", (request: AppRequest<object>) => request.form(schema), "/page", post(GOOD)],
    [
      "json",
      (request: AppRequest<object>) => request.json(schema),
      "/page",
      post(JSON.stringify({ ...OUTPUT, done: "true" }), JSON_TYPE),
    ],
  ] as const)("returns its output from %s()", async (_name, read, path, init) => {
    expect(await ask(read, path, init)).toEqual(OUTPUT);
  });

  test("refuses invalid input, with the path of each problem", async () => {
    const error = (await ask(
      (request) => request.form(schema),
      "/page",
      post(BAD),
    )) as InvalidInput;
    expect(error).toBeInstanceOf(InvalidInput);
    expect(error).toBeInstanceOf(HttpError);
    expect(error.status).toBe(422);
    expect(error.problems.map(({ path }) => path).toSorted()).toEqual(["done", "tags", "title"]);
    for (const { path, message } of error.problems) {
      expect(message).toBeString();
      expect(error.message).toContain(`\n${path}: ${message}`);
    }
  });

  test("lists the problems, each with its path, to a program that accepts JSON", async () => {
    const client = new TestClient(new Probe((request) => request.json(schema)));
    const response = await client.send("/page", {
      method: "POST",
      body: "{}",
      headers: { accept: "application/json" },
    });
    expect(response.status).toBe(422);
    const { title, problems } = (await response.json()) as { title: string; problems: Problem[] };
    expect(title).toBe("The request's input is invalid.");
    expect(problems.map(({ path }) => path)).toContain("title");
  });

  test("answers invalid input with 422 and the problems", async () => {
    const [status, body] = await answer((request) => request.form(schema), "/page", post(BAD));
    expect(status).toBe(422);
    expect(body).toStartWith("The request's input is invalid.\n");
    expect(body.split("\n")).toHaveLength(4);
  });

  test("refuses a value that is no object, with an empty path", async () => {
    const init = post("null", JSON_TYPE);
    const error = (await ask((request) => request.json(schema), "/page", init)) as InvalidInput;
    expect(error.problems).toEqual([{ path: "", message: expect.any(String) }]);
    expect(error.message).toContain(`\n${error.problems[0]?.message}`);
  });

  test("never changes any prototype, whatever JSON or a form contains", async () => {
    const hostile = `{"title":"A","tags":["x"],"done":"true","__proto__":{"isAdmin":true}}`;
    const fields = `${GOOD}&__proto__=a&__proto__[isAdmin]=true&constructor[prototype][isAdmin]=1`;
    for (const read of [
      await ask((request) => request.json(schema), "/page", post(hostile, JSON_TYPE)),
      await ask((request) => request.form(schema), "/page", post(fields)),
    ]) {
      expect(read).toMatchObject(OUTPUT);
      expect((read as { isAdmin?: unknown }).isAdmin).toBeUndefined();
    }
    expect(({} as { isAdmin?: unknown }).isAdmin).toBeUndefined();
  });
});

describe("a schema", () => {
  test.each([{ page: "number" }, null, "page"])("must be a schema, not %j", async (schema) => {
    using error = quiet("error");
    const probe = new Probe((request) => request.json(schema as never));
    const init = post("{}", JSON_TYPE);
    expect((await new TestClient(probe).send("/page", init)).status).toBe(500);
    expect(String(error.mock.lastCall?.[2])).toContain(
      "Pass one of zod, valibot or arktype, such as z.object({ … }).",
    );
  });

  test("may be asynchronous", async () => {
    const taken = z.object({ name: z.string().refine(async (name) => name !== "ann", "is taken") });
    const read: Read = (request) => request.form(taken);
    expect(await ask(read, "/page", post("name=ben"))).toEqual({ name: "ben" });
    expect(await ask(read, "/page", post("name=ann"))).toMatchObject({
      problems: [{ path: "name", message: "is taken" }],
    });
  });

  test("receives a multipart form as well", async () => {
    const schema = z.object({ a: z.string(), b: z.array(z.string()) });
    const init = multipart('name="a"\r\n\r\n1', 'name="b[]"\r\n\r\n2');
    expect(await ask((request) => request.form(schema), "/page", init)).toEqual({
      a: "1",
      b: ["2"],
    });
  });

  test("shows paths into lists and objects", async () => {
    const schema = z.object({ items: z.array(z.object({ name: z.string() })) });
    const init = post('{"items":[{"name":"a"},{"name":1}]}', JSON_TYPE);
    expect(await ask((request) => request.json(schema), "/page", init)).toMatchObject({
      problems: [{ path: "items.1.name" }],
    });
    const byValibot = v.object({ items: v.array(v.object({ name: v.string() })) });
    expect(await ask((request) => request.json(byValibot), "/page", init)).toMatchObject({
      problems: [{ path: "items.1.name" }],
    });
    const byArktype = type({ items: type({ name: "string" }).array() });
    expect(await ask((request) => request.json(byArktype), "/page", init)).toMatchObject({
      problems: [{ path: "items.1.name" }],
    });
  });

  test("S9: names at most 100 problems", async () => {
    const schema = z.array(z.string());
    const init = post(JSON.stringify(Array.from({ length: 100_000 }, () => 1)), JSON_TYPE);
    const error = (await ask((request) => request.json(schema), "/page", init)) as InvalidInput;
    expect(error.problems).toHaveLength(100);
    expect(error.message.split("\n")).toHaveLength(101);
    expect(new InvalidInput(Array(101).fill(error.problems[0])).problems).toHaveLength(100);
  });

  test("that throws is reported as the app's mistake", async () => {
    const schema = z.string().transform(() => {
      throw new Error("A bug");
    });
    const init = post('"a"', JSON_TYPE);
    expect(await ask((request) => request.json(schema), "/page", init)).toEqual(new Error("A bug"));
  });

  test("is not called for an invalid body", async () => {
    const error = await ask((request) => request.json(z.any()), "/page", post("{", JSON_TYPE));
    expect(error).toMatchObject({ status: 400 });
  });
});

describe("form() with a second argument", () => {
  const Signup = z.object({ email: z.email("is no address") });

  /** The answer that the form throws, or else what it returns. */
  async function show(
    page: (problems: readonly Problem[], fields: URLSearchParams) => unknown,
    body: string,
  ): Promise<unknown> {
    return ask((request) => request.form(Signup, page), "/page", post(body));
  }

  test("returns the output for valid input", async () => {
    const output = await show(() => "never", "email=ann@example.com");
    expect(output).toEqual({ email: "ann@example.com" });
  });

  test.each([
    ["a page", (text: string) => html`<p>${text}</p>`, "text/html;charset=utf-8"],
    ["a promise of one", async (text: string) => html`<p>${text}</p>`, "text/html;charset=utf-8"],
    [
      "a response",
      (text: string) =>
        new Response(html`<p>${text}</p>`.toString(), { headers: { "content-type": "a/b" } }),
      "a/b",
    ],
  ])("throws %s as an answer with 422", async (_, make, contentType) => {
    const shown = await show(
      ([problem], fields) => make(`${fields.get("email")} ${problem?.message}`),
      "email=<b>",
    );
    expect(shown).toBeInstanceOf(Response);
    const { status, headers } = shown as Response;
    expect([status, headers.get("content-type")]).toEqual([422, contentType]);
    expect(await (shown as Response).text()).toBe("<p>&lt;b&gt; is no address</p>");
  });

  test("passes on other errors", async () => {
    const long = `email=${"&a=".repeat(1001)}`;
    expect(await show(() => "never", long)).toMatchObject({ status: 413 });
    expect(await show(() => Promise.reject(new Error("A bug")), "email=a")).toEqual(
      new Error("A bug"),
    );
  });
});

describe("toRecord", () => {
  test.each([
    ["", {}],
    ["a=1&b=", { a: "1", b: "" }],
    ["a=1&a=2&a=3", { a: ["1", "2", "3"] }],
    ["a[]=1", { a: ["1"] }],
    ["a[]=1&a[]=2", { a: ["1", "2"] }],
    ["a=1&a[]=2", { a: ["1", "2"] }],
    ["a[b]=1&[]=2&=3", { "a[b]": "1", "": ["2", "3"] }],
    ["__proto__=1&__proto__[]=2&a=3", { a: "3" }],
    ["constructor=1&toString=2", { constructor: "1", toString: "2" }],
  ])("turns %j into %j", (query, record) => {
    const made: object = toRecord(new URLSearchParams(query));
    expect(made).toEqual(record);
    expect(Object.getPrototypeOf(made)).toBe(Object.prototype);
  });
});

test("the methods of a request have the types of the schema", () => {
  const schema = z.object({ page: z.coerce.number() });
  const types = async (request: AppRequest<object>) => {
    expectTypeOf(await request.json(schema)).toEqualTypeOf<{ page: number }>();
    expectTypeOf(await request.query(schema)).toEqualTypeOf<{ page: number }>();
    expectTypeOf(await request.form(schema)).toEqualTypeOf<{ page: number }>();
    expectTypeOf(await request.form(schema, () => "a")).toEqualTypeOf<{ page: number }>();
    expectTypeOf(await request.json(SCHEMAS[1][1])).toEqualTypeOf<typeof OUTPUT>();
    expectTypeOf(await request.json(SCHEMAS[2][1])).toEqualTypeOf<typeof OUTPUT>();
    expectTypeOf(await request.json()).toEqualTypeOf<unknown>();
    expectTypeOf(await request.json<{ a: 1 }>()).toEqualTypeOf<{ a: 1 }>();
    expectTypeOf(request.query()).toEqualTypeOf<URLSearchParams>();
    expectTypeOf(request.query("a")).toEqualTypeOf<string | undefined>();
    expectTypeOf(request.query("a", "b")).toEqualTypeOf<string>();
    // @ts-expect-error: no schema
    await request.json({ page: 1 });
    // @ts-expect-error: a second argument needs a schema
    await request.form(undefined, () => "a");
    request.form(schema, (problems, fields) => {
      expectTypeOf(problems).toEqualTypeOf<readonly Problem[]>();
      expectTypeOf(fields).toEqualTypeOf<URLSearchParams>();
    });
  };
  expect(types).toBeFunction();
});
