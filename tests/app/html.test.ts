import { describe, expect, test } from "bun:test";

import { html } from "bunpie";
import * as fc from "fast-check";

import { findPlaces } from "../../src/app/html-places.ts";

describe("html", () => {
  test.each([
    ["text", "<script>alert('x')</script>", "&lt;script&gt;alert(&#x27;x&#x27;)&lt;/script&gt;"],
    ["quotes and ampersands", `"&'`, "&quot;&amp;&#x27;"],
    ["a number", 7, "7"],
    ["an object", { toString: () => "<b>" }, "&lt;b&gt;"],
    ["null", null, ""],
    ["undefined", undefined, ""],
    ["false", false, ""],
    ["true", true, ""],
    ["its own markup", html`<b>${"<"}</b>`, "<b>&lt;</b>"],
    ["an array", [html`<i></i>`, "<", null, ["&"]], "<i></i>&lt;&amp;"],
  ])("shows %s safely", (_, value, shown) => {
    expect(html`<p>${value}</p>`.toString()).toBe(`<p>${shown}</p>`);
  });

  test("explains its syntax when called like a function", () => {
    expect(() => (html as unknown as (text: string) => unknown)("<p>")).toThrow(
      "html is the tag of a template: write html`…`, without parentheses.",
    );
  });

  test("returns a template without values unchanged", () => {
    expect(html`<p>&amp;</p>`.toString()).toBe("<p>&amp;</p>");
  });

  test("escapes an object that only looks like its own markup", () => {
    const forged = { text: "<b>", toString: () => "<b>" };
    expect(html`${forged}`.toString()).toBe("&lt;b&gt;");
  });

  test("refuses to show a promise, and says what to do", () => {
    const remedy = "A page cannot show a promise. Await it first";
    expect(() => html`<p>${Promise.resolve("a")}</p>`).toThrow(remedy);
    expect(() => html`<p>${[html`<b></b>`, Promise.resolve("a")]}</p>`).toThrow(remedy);
  });
});

/** `html`, under a name by which the formatter does not know it. */
const page = html;

describe("a value in html`…`", () => {
  const value = `"><script>alert('x')</script>`;
  const escaped = "&quot;&gt;&lt;script&gt;alert(&#x27;x&#x27;)&lt;/script&gt;";

  test.each([
    ["between tags", page`<p>${value}</p>`, `<p>${escaped}</p>`],
    ["in double quotes", page`<p title="${value}">`, `<p title="${escaped}">`],
    ["in single quotes", page`<p title='a${value}b'>`, `<p title='a${escaped}b'>`],
    ["behind a sign of its own", page`1 < 2 ${value} a<b`, `1 < 2 ${escaped} a<b`],
    ["in a comment", page`<!-- <p a=${value} -->`, `<!-- <p a=${escaped} -->`],
    ["after a comment", page`<!-- <p a= -->${value}`, `<!-- <p a= -->${escaped}`],
    ["after a script", page`<script>a < b</script>${value}`, `<script>a < b</script>${escaped}`],
    ["in a text area", page`<textarea>${value}</textarea>`, `<textarea>${escaped}</textarea>`],
    ["after attributes", page`<a b c=d e = 'f>' g/>${value}`, `<a b c=d e = 'f>' g/>${escaped}`],
    ["in a style", page`<p style="width: ${value}">`, `<p style="width: ${escaped}">`],
    ["after a NUL", page`<p>\0${value}`, `<p>\0${escaped}`],
  ])("is escaped %s", (_, shown, expected) => {
    expect(shown.toString()).toBe(expected);
  });

  test.each([
    ["in an attribute without quotes", () => page`<a href=${"x"}>`, 'name="${value}"'],
    ["within an attribute without quotes", () => page`<a href=/x/${"x"}>`, 'name="${value}"'],
    ["in a handler", () => page`<a onclick="f('${"x"}')">`, "data-item="],
    ["in a handler in capitals", () => page`<a ONCLICK='${"x"}'>`, "data-item="],
    ["in a page in an attribute", () => page`<iframe srcdoc="${"x"}">`, "data-item="],
    ["in a script", () => page`<script>let a = '${"x"}';</script>`, "data-items="],
    ["in a style sheet", () => page`<STYLE media="a">${"x"}</STYLE>`, "data-items="],
    ["in a second script", () => page`<script></script><script>${"x"}</script>`, "data-items="],
    ["in place of attributes", () => page`<a ${"onclick=alert(1)"}>`, "Only letters"],
    ["in a handler's name", () => page`<a ${"onclick"}="x">`, "Only letters"],
    ["in the name of a tag", () => page`<${"a onclick=x"}>`, "Only letters"],
    ["in an attribute's name", () => page`<a data-${"a=b"}="c">`, "Only letters"],
  ])("is refused %s", (_, make, remedy) => {
    expect(make).toThrow(remedy);
  });

  test("is refused with the text before it", () => {
    expect(() => page`<p>A</p><a href=${"x"}>`).toThrow('after "<p>A</p><a href=",');
  });

  test.each([
    [
      "a number",
      page`<p width=${-7} onclick="f(${7n})"><script>${7}</script>`,
      '<p width=-7 onclick="f(7)"><script>7</script>',
    ],
    ["a word for an attribute", page`<option ${"selected"}>`, "<option selected>"],
    ["nothing for an attribute", page`<option ${false} ${null}>`, "<option  >"],
    [
      "attributes that html has made",
      page`<p ${page`title="${"<"}" hidden`}>`,
      '<p title="&lt;" hidden>',
    ],
    ["the level of a heading", page`<h${2}>A</h${2}>`, "<h2>A</h2>"],
    ["the rest of a name", page`<p data-${"item-id"}="${"<"}">`, '<p data-item-id="&lt;">'],
    [
      "a script that html has made",
      page`<script>${page`a < b`}</script>`,
      "<script>a < b</script>",
    ],
  ])("may be %s", (_, shown, expected) => {
    expect(shown.toString()).toBe(expected);
  });

  test.each([
    "javascript:alert(1)",
    "JavaScript:alert(1)",
    " \n\x01java\nscript\t:alert(1)",
    [["javascript", ":alert(1)"]],
  ])("is no URL that runs a script: %j", (url) => {
    const blocked = '"about:blank#blocked"';
    expect(page`<a href="${url}">`.toString()).toBe(`<a href=${blocked}>`);
    expect(page`<a class="a" HREF = " ${url}">`.toString()).toContain('" about:blank#blocked"');
    expect(page`<form action='${url}'>`.toString()).toBe("<form action='about:blank#blocked'>");
    expect(page`<a ${"href"}="${url}">`.toString()).toContain(blocked);
    expect(page`<a href="${""}${url}">`.toString()).toContain(blocked);
  });

  test.each([
    "/javascript:",
    "https://example.com/?a=b&c=javascript:",
    "#",
    "mailto:ann@example.com",
  ])("may be any other URL: %j", (url) => {
    expect(page`<a href="${url}">`.toString()).toBe(`<a href="${Bun.escapeHTML(url)}">`);
    expect(page`<a href="/${"javascript:"}">`.toString()).toBe('<a href="/javascript:">');
    expect(page`<p title="${"javascript:"}">`.toString()).toBe('<p title="javascript:">');
  });

  test("has one place for each value in any template", () => {
    const pieces = fc.constantFrom(
      ..."<>/=\"' \0!-a",
      "script",
      "<!--",
      "-->",
      "</script>",
      "on",
      "href",
    );
    const text = fc.array(pieces, { maxLength: 12 }).map((all) => all.join(""));
    fc.assert(
      fc.property(fc.array(text, { minLength: 1, maxLength: 6 }), (strings) => {
        expect(findPlaces(strings)).toHaveLength(strings.length - 1);
      }),
      { numRuns: 300 },
    );
  });
});
