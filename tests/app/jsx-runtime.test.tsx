import { describe, expect, expectTypeOf, test } from "bun:test";
import { join } from "node:path";

import type { Html } from "bunpie";
import { createElement, html } from "bunpie";
import type { Children } from "bunpie/jsx-runtime";
import { jsx } from "bunpie/jsx-runtime";

import { Folder } from "../support/folder.ts";

function Greeting({ name, children }: { name: string; children?: Children }) {
  return (
    <p>
      Hello, {name}! {children}
    </p>
  );
}

const Nothing = (): null => null;
const Plain = (): string => "<";
const List = ({ items }: { items: readonly string[] }) => items.map((item) => <li>{item}</li>);

const Later = async (): Promise<Html> => <p>a</p>;
const attributes = (name: string, value: unknown) => () => jsx("p", { [name]: value });

const SHOWN: readonly (readonly [string, Html, string])[] = [
  ["an element", <p class="a">b</p>, '<p class="a">b</p>'],
  ["text, escaped", <p>{"<b>&'\""}</p>, "<p>&lt;b&gt;&amp;&#x27;&quot;</p>"],
  ["a value of an attribute, escaped", <p title={'"<'}>a</p>, '<p title="&quot;&lt;">a</p>'],
  ["numbers", <p tabindex={1}>{2n}</p>, '<p tabindex="1">2</p>'],
  [
    "nothing for null, undefined and booleans",
    <p>
      {null}
      {undefined}
      {true}
      {false}
    </p>,
    "<p></p>",
  ],
  [
    "lists",
    <ul>
      {["a", "<"].map((item) => (
        <li>{item}</li>
      ))}
    </ul>,
    "<ul><li>a</li><li>&lt;</li></ul>",
  ],
  [
    "elements without content",
    <p>
      <br />
      <input name="a" />
    </p>,
    '<p><br><input name="a"></p>',
  ],
  ["an empty element with an end tag", <textarea name="a" />, '<textarea name="a"></textarea>'],
  [
    "boolean attributes",
    <input required disabled={false} checked={null} value={undefined} />,
    "<input required>",
  ],
  [
    "words for booleans in aria- and data-",
    <p aria-hidden={true} data-open={false} />,
    '<p aria-hidden="true" data-open="false"></p>',
  ],
  [
    "attributes of other libraries",
    <p hx-get="/a" {...{ "@click": "b()", ":class": "c" }} />,
    '<p hx-get="/a" @click="b()" :class="c"></p>',
  ],
  ["a handler that is written out", <p onclick="f('a')" />, '<p onclick="f(&#x27;a&#x27;)"></p>'],
  [
    "fragments",
    <>
      <b>a</b>
      {"<"}
    </>,
    "<b>a</b>&lt;",
  ],
  ["an empty fragment", <></>, ""],
  ["components", <Greeting name="<">{<b>c</b>}</Greeting>, "<p>Hello, &lt;! <b>c</b></p>"],
  ["components that return a list", <List items={["a", "b"]} />, "<li>a</li><li>b</li>"],
  ["components that return text, escaped", <Plain />, "&lt;"],
  ["components that return nothing", <Nothing />, ""],
  ["what html has made", <p>{html`<b>${"<"}</b>`}</p>, "<p><b>&lt;</b></p>"],
  ["itself in what html makes", html`<p>${(<b>{"<"}</b>)}</p>`, "<p><b>&lt;</b></p>"],
  ["a whole page with its doctype", <html lang="en" />, '<!doctype html><html lang="en"></html>'],
  ["scripts that html has made", <script>{html`a < b`}</script>, "<script>a < b</script>"],
  ["a number in a script", <script>{7}</script>, "<script>7</script>"],
  ["a script from elsewhere", <script src="/a.js" defer />, '<script src="/a.js" defer></script>'],
  ["no key", <p key="a" />, "<p></p>"],
  ["no key of a spread", <p {...{ key: "a", class: "b" }} />, '<p class="b"></p>'],
  [
    "SVG",
    <svg viewBox="0 0 1 1">
      <path d="M0 0" />
    </svg>,
    '<svg viewBox="0 0 1 1"><path d="M0 0"></path></svg>',
  ],
  [
    "no URL that runs a script",
    <a href={"java\nscript:alert(1)"}>a</a>,
    '<a href="about:blank#blocked">a</a>',
  ],
  ["any other URL", <a href="/?a=1&b=2">a</a>, '<a href="/?a=1&amp;b=2">a</a>'],
];

/** What does not type-check. */
const misuses = () => [
  // @ts-expect-error: an attribute has its name in HTML
  <p className="a" />,
  // @ts-expect-error: a handler is text
  <p onclick={() => 1} />,
  // @ts-expect-error: an attribute is no object
  <p style={{ color: "red" }} />,
  // @ts-expect-error: a component's property is missing
  <Greeting />,
  // @ts-expect-error: a component's property has a type
  <Greeting name={1} />,
  // @ts-expect-error: a component has this property only
  <Greeting name="a" title="b" />,
  // @ts-expect-error: a component without children
  <Plain>a</Plain>,
  // @ts-expect-error: a promise is to be awaited
  <Later />,
  // @ts-expect-error: a promise is to be awaited
  <p>{Later()}</p>,
  // @ts-expect-error: an object cannot be shown
  <p>{{ a: 1 }}</p>,
];

describe("JSX", () => {
  test.each(SHOWN)("shows %s", (_, page, shown) => {
    expect(page.toString()).toBe(shown);
  });

  test.each([
    ["a promise", () => <p>{Later() as unknown as Html}</p>, "Await it first"],
    ["a component that returns a promise", () => jsx(Later, {}), "Await it first"],
    ["content in a void element", () => <br>a</br>, "<br> cannot have content."],
    ["text in a script", () => <script>{"a"}</script>, "<script>{html`…`}</script>"],
    [
      "what would become text in a script",
      () => <script>{[new URL("https://a.test/?a&b") as unknown as string]}</script>,
      "<script>{html`…`}</script>",
    ],
    ["text in a style sheet", () => <style>{html``}a</style>, "<style>{html`…`}</style>"],
    [
      "a function for a handler",
      attributes("onclick", () => 1),
      "The attribute onclick is a function",
    ],
    ["an object", attributes("style", { color: "red" }), "The attribute style is an object"],
    ["what html has made, in an attribute", attributes("title", html``), "is an object"],
    ["a symbol", attributes("title", Symbol("a")), "is a symbol"],
    [
      "an attribute's name that ends the tag",
      attributes("a><script", 1),
      "is not an attribute's name",
    ],
    ["an attribute's name that is two", attributes("a onclick", "x"), "is not an attribute's name"],
    [
      "an attribute's name that is a value too",
      attributes("a=b", "x"),
      "is not an attribute's name",
    ],
    ["an attribute without a name", attributes("", "x"), "is not an attribute's name"],
    ["an element's name that is more", () => jsx("p onclick=a", {}), "is not an element's name"],
    ["an element's name that is markup", () => jsx("p><script", {}), "is not an element's name"],
  ])("refuses %s", (_, make, message) => {
    expect(make).toThrow(message);
  });

  test("may have a key after a spread, which Bun compiles to createElement", async () => {
    using folder = new Folder();
    const src = join(import.meta.dir, "../../src");
    const paths = {
      bunpie: [join(src, "index.ts")],
      "bunpie/*": [join(src, "app/jsx-runtime.ts")],
    };
    const compilerOptions = { jsx: "react-jsx", jsxImportSource: "bunpie", paths };
    await Bun.write(folder.file("tsconfig.json"), JSON.stringify({ compilerOptions }));
    await Bun.write(
      folder.file("page.tsx"),
      `const one = { class: "a" };
      const all = ["b", "<"].map((text) => <li {...one} key={text}>{text}</li>);
      console.log(String(<ul>{all}</ul>));`,
    );
    const { stdout } = Bun.spawnSync([process.execPath, "page.tsx"], { cwd: folder.path });
    expect(String(stdout)).toBe('<ul><li class="a">b</li><li class="a">&lt;</li></ul>\n');
  });

  test.each([
    ["nothing", createElement("br", null), "<br>"],
    ["several children", createElement("p", { key: 1 }, "<", <b />), "<p>&lt;<b></b></p>"],
    ["children among the attributes", createElement("p", { children: "a" }), "<p>a</p>"],
    ["a component", createElement(Plain, { key: 1 }), "&lt;"],
  ])("is compiled to createElement with %s", (_, page, shown) => {
    expect(page.toString()).toBe(shown);
  });

  test("has types", () => {
    expectTypeOf(<p />).toEqualTypeOf<Html>();
    expect(misuses).toBeFunction();
  });
});
