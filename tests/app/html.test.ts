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
    ["after SCRIPT", page`<SCRIPT>a</SCRIPT\n>${value}`, `<SCRIPT>a</SCRIPT\n>${escaped}`],
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
    ["in a URL that runs", () => page`<a href="javascript:go('${"x"}')">`, "data-item="],
    [
      "in a URL that runs, in any spelling",
      () => page`<a href=" JAVA\nscript:${"x"}">`,
      "data-item=",
    ],
    ["in a handler whose name is in pieces", () => page`<a o${"nclick"}="${"x"}">`, "Only letters"],
    ["in a handler's name in two", () => page`<a ${"o"}${"nclick"}="x">`, "Only letters"],
    ["in a handler's name around html", () => page`<a ${"o"}${page`n`}${"click"}>`, "Only letters"],
    ["in a handler's name after html", () => page`<a ${page`a="b"`}${"onclick"}>`, "Only letters"],
    ["in a script's name after html", () => page`<${page`p><`}${"script"}>`, "Only letters"],
    ["in a page, under a name", () => page`<iframe ${"srcdoc"}="${"x"}">`, "Only letters"],
    ["in a page, under a name in pieces", () => page`<a ${"src"}doc="x">`, "Only letters"],
    ["in the name of a script", () => page`<${"script"}>${"x"}`, "Only letters"],
    ["in the name of a style sheet in pieces", () => page`<STY${"LE"}>`, "Only letters"],
    ["in a page in an attribute", () => page`<iframe srcdoc="${"x"}">`, "data-item="],
    ["in a script", () => page`<script>let a = '${"x"}';</script>`, "data-items="],
    ["in a style sheet", () => page`<STYLE media="a">${"x"}</STYLE>`, "data-items="],
    ["in a second script", () => page`<script></script><script>${"x"}</script>`, "data-items="],
    ["in a script with a style", () => page`<script>"</style>";${"x"}</script>`, "data-items="],
    ["in a style with a script", () => page`<style>/*</script>*/${"x"}</style>`, "data-items="],
    ["in a script, after a word", () => page`<script>"</scripts";${"x"}</script>`, "data-items="],
    ["in a script, after <!-->", () => page`<!--><script>${"x"}</script>-->`, "data-items="],
    ["in a script, after <!--->", () => page`<!---><script>${"x"}</script>-->`, "data-items="],
    ["in a script, after --!>", () => page`<!-- --!><script>${"x"}</script>-->`, "data-items="],
    ["after a stray =", () => page`<a = title=${"x"}>`, 'name="${value}"'],
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
    ["the name of a tag", page`<${"section"}>A</${"section"}>`, "<section>A</section>"],
    ["the name of a style", page`<p ${"style"}="width: 0">`, '<p style="width: 0">'],
    ["a word after html", page`<p ${page`title="on"`} ${"hidden"}>`, '<p title="on" hidden>'],
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

  test.each([
    ["in two values", page`<a href="${"java"}${"script:alert(1)"}">`],
    ["in three values", page`<a href="${"java"}${"script"}${":alert(1)"}">`],
    ["around html", page`<a href="${"java"}${page``}${"script:alert(1)"}">`],
    ["around text", page`<a href="${"javascript"}:${"alert(1)"}">`],
    ["with text of a URL", page`<a href='${"javascript"}://${"%0aalert(1)"}'>`],
    ["after text", page`<a href="java${"script:alert(1)"}">`],
    ["after text with a reference", page`<a href=" JAVA&#115;${"cript:alert(1)"}">`],
    ["with a reference to a colon", page`<a href="${"javascript"}&colon;${"alert(1)"}">`],
    ["with a reference in pieces", page`<a href="${"javascript"}&${"colon;alert(1)"}">`],
    ["with a number in pieces", page`<a href="${"java"}&#${"x73;cript:alert(1)"}">`],
    ["with a tab in pieces", page`<a href="${"java"}&${"Tab;script:alert(1)"}">`],
    ["with a line feed in pieces", page`<a href="${"java"}&${"NewLine;script:alert(1)"}">`],
    ["in another attribute's value", page`<svg><a xlink:href="${"javascript"}:${"x"}">`],
    ["in a form", page`<button formaction="${"javascript"}:${"x"}">`],
    ["under a name in pieces", page`<a ${"hr"}ef="${"javascript"}:${"x"}">`],
  ])("is no piece of a URL that runs a script: %s", (_, shown) => {
    expect(shown.toString()).toMatch(/=["'] ?about:blank#blocked/);
    expect(shown.toString()).not.toMatch(/java|script/i);
  });

  test.each([
    ['<a href="java/script:">', page`<a href="${"java"}/${"script:"}">`],
    ['<a href="https://a.test">', page`<a href="${"https"}://${"a.test"}">`],
    ['<a href="java/">', page`<a href="java${"/"}">`],
    ['<a href="?a=javascript:x">', page`<a href="?a=${"javascript"}:${"x"}">`],
    ['<a href="list&#9999999;">', page`<a href="${"list"}&#${"9999999;"}">`],
    ['<a href="java" class="script:">', page`<a href="${"java"}" class="${"script:"}">`],
    ['<a href="java"><a href="script:">', page`<a href="${"java"}"><a href="${"script:"}">`],
    ['<p title="javascript:x">', page`<p title="${"javascript"}:${"x"}">`],
  ])("may be a piece of any other URL: %s", (expected, shown) => {
    expect(shown.toString()).toBe(expected);
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
