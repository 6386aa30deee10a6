import { expect, test } from "bun:test";

import type { SessionsOptions } from "bunpie";
import { App, InMemorySessionBackend, Sessions } from "bunpie";

import { TestClient } from "../../src/testing/client.ts";
import { exchange, handshake, readStatuses, setCookiesIn } from "../support/raw.ts";
import { TappedStore } from "../support/stores/tapped-store.ts";

export interface Data {
  visits: number;
}

/** What a framework makes of an app, as far as tests ask it something. */
export interface Asked {
  fetch(request: Request): Response | Promise<Response>;
}

export function setUp(options: Partial<SessionsOptions> = {}, isSynchronous = false) {
  const store = new TappedStore(undefined, isSynchronous);
  const manager = new Sessions<Data>({ backend: store, sweepInterval: 0, ...options });
  return { store, manager };
}

/** The sessions of a second service, for the same app. */
export function setUpStaff() {
  const options = { backend: new TappedStore(), cookie: { name: "staff_id" }, sweepInterval: 0 };
  return new Sessions<{ role: string }>(options);
}

/** Tests what a plugin accepts as its manager. */
export function testManagers(sessions: (manager: never) => unknown): void {
  test.each([undefined, { backend: new InMemorySessionBackend() }])(
    "requires a manager, and accepts nothing else: %#",
    (manager) => {
      expect(() => sessions(manager as never)).toThrow(
        new TypeError("sessions() takes a manager: sessions(new Sessions({ backend: … }))."),
      );
    },
  );
}

/** A client that has counted one visit at `/`. */
export async function visited(app: Asked): Promise<TestClient> {
  const client = new TestClient(app);
  await client.send("/");
  return client;
}

/** Of an app in which `/` writes to both sessions, `/both` shows them and `/leave` ends the one of staff. */
export async function checkTwoManagers(app: Asked): Promise<void> {
  const client = await visited(app);
  expect([...client.cookies.keys()].toSorted()).toEqual(["session_id", "staff_id"]);
  expect(await client.text("/both")).toBe("1 cook");
  await client.send("/leave");
  expect([...client.cookies.keys()]).toEqual(["session_id"]);
  expect(await client.text("/both")).toBe("1 undefined");
}

/** Of an app that counts visits, and mounts at `/inner` what it is given. */
export async function checkMounted(
  mount: (inner: (request: Request) => Promise<Response>) => Asked,
): Promise<void> {
  class Inner extends App<{ pages: number }> {
    index() {
      const { session } = this.request;
      return `${(session.pages = (session.pages ?? 0) + 1)}`;
    }
  }
  const inner = new Inner({ session: { cookie: { name: "inner_id" } } });
  const client = await visited(mount(async (request) => inner.fetch(request)));
  await client.send("/inner/");
  expect(await client.text("/inner/")).toBe("2");
  expect(await client.text("/visits")).toBe("1");
  expect([...client.cookies.keys()]).toEqual(["session_id", "inner_id"]);
}

/** The cookie of a visitor who has counted one visit. */
async function beginAt(url: URL): Promise<string> {
  const [line = ""] = (await fetch(url)).headers.getSetCookie();
  return line.split(";", 1).join();
}

/** What a handshake by a visitor comes to, who is known already or not: and what `/visits` says then. */
export async function shakeHands({ url }: { readonly url: URL }, path: string, isKnown: boolean) {
  const known = isKnown ? await beginAt(url) : undefined;
  const answer = await exchange(Number(url.port), handshake(path, known));
  const cookies = setCookiesIn(answer);
  const [cookie = ""] =
    known === undefined ? cookies.map((line) => line.split(";", 1).join()) : [known];
  const page = await fetch(new URL("/visits", url), { headers: { cookie } });
  return { status: readStatuses(answer)[0], cookies: cookies.length, visits: await page.text() };
}
