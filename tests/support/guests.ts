import { expect } from "bun:test";

import { App } from "../../src/app/app.ts";
import type { Fetcher } from "../../src/testing/client.ts";
import { TestClient } from "../../src/testing/client.ts";

/** What a guest can ask for. */
export const KINDS = ["read", "write", "regenerate", "login", "end", "begin"] as const;
export type Kind = (typeof KINDS)[number];

interface Data {
  name: string;
  note: string;
}

/** A page for each kind, and one that has nothing to do with sessions. */
export class GuestHouse extends App<Data> {
  begin(name: string): string {
    this.request.session.name = name;
    return "begun";
  }
  read(): object {
    const { name = "nobody", note = "" } = this.request.session;
    return { name, note };
  }
  write(note: string, times: string): string {
    this.request.session.note = note.repeat(Number(times));
    return "written";
  }
  regenerate(): string {
    this.request.session.regenerate();
    return "regenerated";
  }
  login(name: string): string {
    this.request.session.login(name);
    return "logged in";
  }
  end(): string {
    this.request.session.destroy();
    return "ended";
  }
  about(): string {
    return "About us";
  }
}

const UNAVAILABLE = "Sessions are unavailable. Please try again.";

/** What guests were told, all together. */
export class GuestBook {
  readonly served: Record<Kind, number>;
  readonly refused: Record<Kind, number>;
  /** Answers that should never be given: anonymous pages, strangers' pages, cookies with a 503. */
  readonly wrong: string[] = [];
  /** The longest that anyone waited, in milliseconds. */
  slowest = 0;

  constructor() {
    const none = { read: 0, write: 0, regenerate: 0, login: 0, end: 0, begin: 0 };
    this.served = { ...none };
    this.refused = { ...none };
  }
}

/** Somebody with a session, who knows what has to be in it. */
export class Guest {
  readonly #name: string;
  readonly #server: Fetcher;
  #client: TestClient;
  #hasBegun = false;
  #note = "";
  #visits = 0;

  constructor(name: string, server: Fetcher) {
    this.#name = name;
    this.#server = server;
    this.#client = new TestClient(server);
  }

  /** Asks for one thing, and writes down how it was answered. Without a session, begins one. */
  async ask(kind: Kind, book: GuestBook): Promise<boolean> {
    const asked = this.#hasBegun ? kind : "begin";
    // Short at first and long later: a full disk has no room for that.
    const times = this.#visits < 3 ? 10 : 1500;
    const note = `${this.#name}.${this.#visits++};`;
    const since = performance.now();
    const response = await this.#client.send(this.#path(asked, note, times));
    const body = await response.text();
    book.slowest = Math.max(book.slowest, performance.now() - since);
    const isServed = response.status === 200;
    book[isServed ? "served" : "refused"][asked]++;
    const isRight = isServed
      ? this.#take(asked, note.repeat(times), body)
      : isRefusal(response, body);
    if (!isRight) book.wrong.push(`${asked}: ${response.status} ${body.slice(0, 100)}`);
    return isServed;
  }

  /** The store has lost everything, or may have: whoever finds no session begins a new one. */
  forget(): void {
    this.#client = new TestClient(this.#server);
    this.#hasBegun = false;
    this.#note = "";
  }

  #path(kind: Kind, note: string, times: number): string {
    if (kind === "write") return `/write/${note}/${times}`;
    return kind === "begin" || kind === "login" ? `/${kind}/${this.#name}` : `/${kind}`;
  }

  /** An answer of 200: it has to be this guest's, and what it says is done is done. */
  #take(kind: Kind, note: string, body: string): boolean {
    if (kind === "read") return body === JSON.stringify({ name: this.#name, note: this.#note });
    if (kind === "begin") this.#hasBegun = true;
    if (kind === "write") this.#note = note;
    if (kind === "end") this.forget();
    return true;
  }
}

function isRefusal(response: Response, body: string): boolean {
  return (
    response.status === 503 && response.headers.getSetCookie().length === 0 && body === UNAVAILABLE
  );
}

/**
 * Asks for a page that needs no session, as somebody without one, over and over while others wait for
 * what they have asked. The longest that it took, in milliseconds.
 */
export async function askAboutDuring(others: Promise<unknown>, server: Fetcher): Promise<number> {
  let slowest = 0;
  for (let isOver = false; !isOver;) {
    const since = performance.now();
    expect(await new TestClient(server).text("/about")).toBe("About us");
    slowest = Math.max(slowest, performance.now() - since);
    isOver = await Promise.race([others.then(() => true), Bun.sleep(5).then(() => false)]);
  }
  return slowest;
}
