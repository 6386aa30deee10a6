import { describe, expect } from "bun:test";

import { App } from "../../src/app/app.ts";
import { READ_BY_BUN } from "../../src/app/pages.ts";
import { AppRequest } from "../../src/app/request.ts";
import { Sessions } from "../../src/http/sessions.ts";
import { pick } from "../support/arbitraries/random.ts";
import { scramble } from "../support/arbitraries/spoil.ts";
import { exchange, readStatuses } from "../support/raw.ts";
import { serve } from "../support/serve.ts";
import { guarantee, number } from "./figure.ts";
import { listPaths, namesIn, nearlyLike, ODD_NAMES } from "./hostile-paths.ts";

/** Of the hostile paths, `bun run test` tries one in so many. */
const EVERY = 8;

const VERBS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"] as const;

/** What was called since the last look, pages and everything else. */
let calls: string[] = [];

/** A function that must not be reached. */
const record = (name: string) => (): unknown => calls.push(name);

class Ancestor extends App {
  static inheritedStatic = record("inheritedStatic");

  inherited(): void {
    calls.push("inherited");
  }

  _underscored(): void {
    calls.push("_underscored");
  }

  coveredByNothing(): unknown {
    return record("covered")();
  }
}

/** Four pages, and one of everything else that a class can hold. */
class Hostile extends Ancestor {
  static classMethod = record("classMethod");
  static classField = { GET: record("classField") };
  static get classAccessor(): unknown {
    return record("classAccessor")();
  }

  _arrow = record("_arrow");
  text = "text";
  list = [record("list")];
  nested = { deep: { GET: record("nested") }, name: record("nested") };
  inheriting: unknown = Object.create({ GET: record("inheriting") });
  byMap = new Map([["GET", record("byMap")]]);
  _verbs = { GET: record("_verbs") };
  page = { GET: () => void calls.push("page") };
  override coveredByNothing = undefined as never;

  get _accessor(): unknown {
    return record("_accessor")();
  }

  set _setter(_value: unknown) {
    calls.push("_setter");
  }

  [Symbol.iterator](): void {
    calls.push("iterator");
  }

  #hidden(): void {
    calls.push("#hidden");
  }

  index(): void {
    calls.push("index");
  }

  method(): void {
    calls.push("method");
    void this.#hidden.name;
  }
}

/** Each page, and the verbs that reach it. */
const PAGES = new Map<string, ReadonlySet<string>>([
  ["index", new Set(["GET", "HEAD", "POST"])],
  ["method", new Set(["GET", "HEAD", "POST"])],
  ["inherited", new Set(["GET", "HEAD", "POST"])],
  ["page", new Set(["GET", "HEAD"])],
]);

/**
 * The page that a request is meant for, found without Bunpie's code: its path is the page's name, letter by
 * letter, once it is decoded. What follows a `#` is no fragment on the wire.
 */
function meantFor(method: string, url: string): string[] {
  const { pathname } = new URL(url);
  const path = pathname + (/^[^?#]*(#[^?]*)/.exec(url)?.[1] ?? "");
  const [name = "", ...surplus] = decoded(path.slice(1).split("/"));
  if (surplus.length > 1 || (surplus[0] ?? "") !== "" || name === "index") return [];
  const page = path === "/" ? "index" : name;
  return PAGES.get(page)?.has(method) === true ? [page] : [];
}

function decoded(segments: readonly string[]): string[] {
  try {
    return segments.map(decodeURIComponent);
  } catch {
    return [];
  }
}

const app = new Hostile();
const MEMBERS = [app, Hostile, Hostile.prototype, Function.prototype].flatMap(namesIn);
const OTHERS = [AppRequest.prototype, Sessions.prototype, Promise.prototype, globalThis];
const NAMES = [
  ...MEMBERS,
  ...MEMBERS.map((member) => `page.${member}`),
  ...OTHERS.flatMap(namesIn),
  ...READ_BY_BUN,
  ...[...PAGES.keys()].flatMap(nearlyLike),
  ...ODD_NAMES,
].filter((name) => name !== "");
const PATHS = listPaths(NAMES);

/** Asks the app, and says what is wrong with what it did; nothing, if nothing is. */
async function faultIn(method: string, path: string): Promise<string | undefined> {
  const request = new Request(`http://localhost${path}`, { method });
  // A request that is made in this process may have a fragment, which is no part of the path.
  const meant = meantFor(method, request.url.replace(/#.*/s, ""));
  calls = [];
  const { status, headers } = await app.fetch(request);
  const isRight =
    calls.join() === meant.join() &&
    (meant.length === 1
      ? status === 204
      : [400, 404, 405].includes(status) || headers.has("allow"));
  return isRight ? undefined : `${method} ${path} called ${calls.join() || "nothing"}: ${status}`;
}

const REST = "Host: localhost\r\nConnection: close\r\n\r\n";

/** Request targets in every form there is, and in some that there should not be. */
const TARGETS = [
  ..."/ // * ?method method /method /method/ //method /./method /x/../method".split(" "),
  ..."/x/%2e%2E/method /../../method /method/.. /method/../_underscored \\method /\\method".split(
    " ",
  ),
  ..."/x\\..\\method /%6dethod /method%00 /method;a=b /method#_underscored".split(" "),
  ..."/method?_underscored /?/method /constructor /__proto__/method /page /page%2fGET".split(" "),
  ..."/_verbs/GET /nested/deep/GET /coveredByFunction /accessor localhost:80".split(" "),
  ..."localhost:80/method http://localhost http://localhost/method".split(" "),
  ..."http://elsewhere.example/method http://method@localhost:80/inherited?x#y".split(" "),
  ..."http:/method http:method https://localhost/method file:///method javascript:method".split(
    " ",
  ),
];

/** What may be answered to them: by the app, and by Bun to what is no request. */
const ANSWERS = new Set(["204", "400", "404", "405", "505"]);

/** Whether it has the page's name in it, however it is written. */
function spells(target: string, name: string): boolean {
  const text = target
    .replaceAll(/%[0-9a-f]{2}/gi, (code) => String.fromCharCode(parseInt(code.slice(1), 16)))
    .replaceAll(/[\t\r\n]/g, "");
  return text.includes(name);
}

describe("D1: a name from the wire reaches nothing but pages", () => {
  guarantee(
    "a path reaches the page whose name it spells, and nothing else that the app or the language holds",
    {
      id: "G14",
      quick: Math.ceil(PATHS.length / EVERY),
      gate: PATHS.length,
      full: PATHS.length,
      of: "hostile paths, by 7 verbs each",
    },
    async (trial) => {
      const faults: string[] = [];
      const step = trial.size < PATHS.length ? EVERY : 1;
      const paths = PATHS.filter((_, index) => index % step === 0);
      for (const path of paths) {
        for (const verb of VERBS) {
          const fault = await faultIn(verb, path);
          if (fault !== undefined) faults.push(fault);
        }
      }
      trial.never("calls of anything unregistered", faults, trial.size * VERBS.length);
    },
  );

  guarantee(
    "a path that was modified reaches the page that it then spells, or none",
    { id: "G14", quick: 5_000, gate: 20_000, full: 1_000_000, of: "paths" },
    async (trial) => {
      const { random } = trial;
      const names = [...PAGES.keys()];
      const faults: string[] = [];
      for (let count = 0; count < trial.size; count++) {
        const path = `/${scramble(`${pick(names, random)}/${pick(NAMES, random)}`, random)}`;
        const fault = await faultIn(pick(VERBS, random), path);
        if (fault !== undefined) faults.push(fault);
        if (count % 100_000 === 0) trial.progress(count);
      }
      trial.never("calls of anything unregistered", faults);
    },
  );

  guarantee(
    "a request target of arbitrary bytes, sent over a socket, reaches a page that it spells, or none",
    { id: "G14", quick: 100, gate: 500, full: 20_000, of: "connections" },
    async (trial) => {
      const { random } = trial;
      const served = new Hostile();
      const { port } = serve(served);
      const counts = new Map<string, number>();
      const strange: string[] = [];
      let reached = 0;
      for (let count = 0; count < trial.size; count++) {
        const good = pick(TARGETS, random);
        const target = random(4) === 0 ? good : scramble(good, random);
        const text = `${pick(VERBS, random)} ${target} HTTP/1.1\r\n${REST}`;
        calls = [];
        const answer = await exchange(port, Buffer.from(text, pick(["latin1", "utf8"], random)));
        const status = readStatuses(answer).join(" and ");
        counts.set(status, (counts.get(status) ?? 0) + 1);
        const isSpelt = calls.every((name) => name === "index" || spells(target, name));
        if (calls.length > 1 || !isSpelt || !ANSWERS.has(status))
          strange.push(text + answer + calls);
        reached += calls.length;
      }
      await served.close();
      trial.never("calls of anything unregistered, and unexpected responses", strange);
      const list = [...counts].map(([status, number_]) => `${number(number_)} × ${status}`);
      trial.note(`${list.toSorted().join(", ")}; ${number(reached)} reached a page`);
      expect(reached).toBeGreaterThan(0);
    },
  );
});
