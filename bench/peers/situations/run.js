// `bun bench/peers/situations/run.js`: what session libraries do in situations that may lose data, logouts or visitors,
// all with the same store. Prints a table; `--write` puts it into docs/comparison.md. Needs `bun install` in bench/peers.
import { join } from "node:path";

import { LIBRARIES } from "./libraries.js";
import { SlowStore } from "./slow-store.js";

const BEGIN = "<!-- situations: begin -->";
const END = "<!-- situations: end -->";

/** A browser that only keeps cookies. */
class Browser {
  cookies = new Map();

  constructor(url) {
    this.url = url;
  }

  async get(path) {
    const pairs = [...this.cookies].map(([name, value]) => `${name}=${value}`);
    const headers = pairs.length === 0 ? {} : { cookie: pairs.join("; ") };
    const response = await fetch(this.url + path, { headers, redirect: "manual" });
    for (const line of response.headers.getSetCookie()) {
      const cookie = Bun.Cookie.parse(line);
      if (cookie.isExpired()) this.cookies.delete(cookie.name);
      else this.cookies.set(cookie.name, cookie.value);
    }
    return response;
  }

  async text(path) {
    return (await this.get(path)).text();
  }

  clone() {
    const copy = new Browser(this.url);
    copy.cookies = new Map(this.cookies);
    return copy;
  }
}

const sameCookies = (one, other) =>
  JSON.stringify([...one.cookies]) === JSON.stringify([...other.cookies]);

/** Logs out while a request for a path is in flight, then sends a request with the old cookie. */
async function logOutDuring(url, path) {
  const ann = new Browser(url);
  await ann.get("/login?user=ann");
  const thief = ann.clone();
  const inFlight = ann.clone().get(path);
  await Bun.sleep(20);
  await ann.get("/logout");
  await inFlight;
  const who = await thief.text("/who");
  return { good: who !== "ann", text: who === "ann" ? "logged in again" : "stays logged out" };
}

/** The situations. Each returns its outcome in words, and in `good` whether the outcome is desirable. */
const SITUATIONS = [
  {
    title: "A visitor without a cookie opens a page that ignores the session",
    async run({ url, store }) {
      const response = await new Browser(url).get("/plain");
      const hasCookie = response.headers.getSetCookie().length > 0;
      const { write } = store.counts;
      const good = write === 0 && !hasCookie;
      return {
        good,
        text: good
          ? "nothing stored, no cookie"
          : `${write} write${write === 1 ? "" : "s"}, ${hasCookie ? "a cookie" : "no cookie"}`,
      };
    },
  },
  {
    title: "A logged-in visitor opens a page that only reads the session",
    async run({ url, store }) {
      const ann = new Browser(url);
      await ann.get("/login?user=ann");
      store.counts.write = 0;
      const response = await ann.get("/who");
      const hasCookie = response.headers.getSetCookie().length > 0;
      const { write } = store.counts;
      const good = write === 0 && !hasCookie;
      return {
        good,
        text: good
          ? "only a read"
          : `${write} write${write === 1 ? "" : "s"}, ${hasCookie ? "the cookie again" : "no cookie"}`,
      };
    },
  },
  {
    title: "Two concurrent requests set two different keys",
    async run({ url }) {
      const ann = new Browser(url);
      await ann.get("/login?user=ann");
      await Promise.all([
        ann.clone().get("/set?key=a&value=1&wait=30"),
        ann.clone().get("/set?key=b&value=1&wait=40"),
      ]);
      const kept = [await ann.text("/value?key=a"), await ann.text("/value?key=b")];
      const good = kept.every((value) => value === "1");
      return { good, text: good ? "both kept" : "one is lost" };
    },
  },
  {
    title: "A logout during a writing request; then a request with the old cookie",
    run: ({ url }) => logOutDuring(url, "/set?key=a&value=1&wait=60"),
  },
  {
    title: "A logout during a reading request; then a request with the old cookie",
    run: ({ url }) => logOutDuring(url, "/slow-read?wait=60"),
  },
  {
    title: "The logout's response",
    async run({ url }) {
      const ann = new Browser(url);
      await ann.get("/login?user=ann");
      await ann.get("/logout");
      const good = ann.cookies.size === 0;
      return { good, text: good ? "clears the cookie" : "leaves the cookie" };
    },
  },
  {
    title: "The store fails to read a logged-in visitor's session",
    async run({ url, store }) {
      const ann = new Browser(url);
      await ann.get("/login?user=ann");
      const before = ann.clone();
      store.failsReads = true;
      const response = await ann.get("/who");
      store.failsReads = false;
      const replaced = !sameCookies(before, ann);
      const later = await ann.text("/who");
      const good = response.status >= 500 && later === "ann";
      return {
        good,
        text: `${response.status}${replaced ? ", another cookie" : ""}${later === "ann" ? "" : ", logged out"}`,
      };
    },
  },
  {
    title: "The store fails to write a change",
    async run({ url, store }) {
      const ann = new Browser(url);
      await ann.get("/login?user=ann");
      store.failsWrites = true;
      const response = await ann.get("/set?key=a&value=1").catch(() => undefined);
      store.failsWrites = false;
      const good = response !== undefined && response.status >= 500;
      return {
        good,
        text:
          response === undefined
            ? "connection closed"
            : String(response.status) + (good ? "" : ", as if it were stored"),
      };
    },
  },
  {
    title: "A page changes the session and then throws",
    async run({ url }) {
      const ann = new Browser(url);
      await ann.get("/login?user=ann");
      await ann.get("/set-and-throw");
      const value = await ann.text("/value?key=thrown");
      return {
        good: value === "none",
        text: value === "none" ? "nothing stored" : "the change is stored",
      };
    },
  },
  {
    title: "After a login, a late request with the old id writes to the session",
    async run({ url }) {
      const ann = new Browser(url);
      await ann.get("/set?key=cart&value=pie");
      const late = ann.clone();
      await ann.get("/login?user=ann");
      const before = late.clone();
      await late.get("/set?key=a&value=1");
      // Both are the same browser: it keeps the cookie of the last response.
      if (!sameCookies(before, late)) for (const cookie of late.cookies) ann.cookies.set(...cookie);
      const who = await ann.text("/who");
      return { good: who === "ann", text: who === "ann" ? "stays logged in" : "logged out" };
    },
  },
];

const table = [];
for (const { title, run } of SITUATIONS) {
  const cells = [];
  for (const [name, start] of Object.entries(LIBRARIES)) {
    const store = new SlowStore();
    const { url, stop } = await start(store);
    const { good, text } = await run({ url, store });
    cells.push({ name, good, text });
    await stop();
    console.error(`${good ? "ok " : "BAD"} ${name.padEnd(18)} ${title}: ${text}`);
  }
  table.push([title, ...cells.map(({ good, text }) => (good ? text : `**${text}**`))]);
}

const versions = await Promise.all(
  Object.keys(LIBRARIES).map(async (name) => {
    const { default: manifest } = await import(
      name === "bunpie" ? "../../../package.json" : `${name}/package.json`
    );
    return `${name} ${manifest.version}`;
  }),
);
const toRow = (cells) => `| ${cells.join(" | ")} |`;
const markdown = [
  toRow(["situation", ...versions]),
  toRow(["---", ...versions.map(() => "---")]),
  ...table.map(toRow),
].join("\n");
if (!process.argv.includes("--write")) {
  console.log(markdown);
  process.exit(0);
}
const page = Bun.file(join(import.meta.dir, "../../../docs/comparison.md"));
const text = await page.text();
const [before, after] = [text.indexOf(BEGIN) + BEGIN.length, text.indexOf(END)];
if (before < BEGIN.length || after < 0) throw new Error(`${page.name} lacks ${BEGIN} or ${END}.`);
await page.write(`${text.slice(0, before)}\n\n${markdown}\n\n${text.slice(after)}`);
process.exit(0);
