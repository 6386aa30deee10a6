import { describe, expect, test } from "bun:test";

import { html } from "bunpie";

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
    ["a piece of its own making", html`<b>${"<"}</b>`, "<b>&lt;</b>"],
    ["an array", [html`<i></i>`, "<", null, ["&"]], "<i></i>&lt;&amp;"],
  ])("shows %s safely", (_, value, shown) => {
    expect(html`<p>${value}</p>`.toString()).toBe(`<p>${shown}</p>`);
  });

  test("keeps a page without values as it stands", () => {
    expect(html`<p>&amp;</p>`.toString()).toBe("<p>&amp;</p>");
  });

  test("escapes what only looks like a piece of its own making", () => {
    const forged = { text: "<b>", toString: () => "<b>" };
    expect(html`${forged}`.toString()).toBe("&lt;b&gt;");
  });
});
