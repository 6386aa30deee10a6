import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";

import type { Socket } from "bunpie";
import { App, eventStream, html } from "bunpie";

import { Folder } from "../support/folder.ts";
import { Browser, hasBrowser } from "../support/processes/browser.ts";
import { quiet } from "../support/quiet.ts";

setDefaultTimeout(30_000);

class Site extends App<{ name: string }> {
  /** The ids with which browsers have come back. */
  readonly lastIds: (string | null)[] = [];
  /** Ends the event stream that is open. */
  _hangUp = (): void => undefined;
  readonly _written = Promise.withResolvers<string>();
  readonly _shown = Promise.withResolvers<void>();
  readonly _folder = this.own(new Folder(), (folder) => folder.remove());
  readonly _hasLeft = Promise.withResolvers<void>();

  chat() {
    return html`<!doctype html>
      <title>Chat</title>
      <ul id="lines"></ul>
      <script>
        const lines = document.getElementById("lines");
        const add = (text) =>
          lines.append(Object.assign(document.createElement("li"), { textContent: text }));
        const socket = new WebSocket("/chat/tea");
        socket.onopen = () => add("open");
        socket.onmessage = ({ data }) => add(JSON.parse(data).name + ": " + JSON.parse(data).text);
        socket.onclose = ({ code }) => add("closed with " + code);
      </script>`;
  }

  login(name: string) {
    this.request.session.name = name;
    return this.redirect("/chat");
  }

  leave = { POST: () => this.request.session.destroy() };

  async ws_chat(socket: Socket, room: string) {
    const { name } = this.request.session;
    await socket.accept();
    socket.subscribe(room);
    for await (const text of socket) socket.publish(room, { name, text });
  }

  clock() {
    return html`<!doctype html>
      <title>Clock</title>
      <ul id="lines"></ul>
      <script>
        const lines = document.getElementById("lines");
        const add = (text) =>
          lines.append(Object.assign(document.createElement("li"), { textContent: text }));
        const source = new EventSource("/live");
        source.addEventListener("tick", ({ data, lastEventId }) =>
          add(lastEventId + " " + JSON.parse(data).at),
        );
      </script>`;
  }

  /** Sends a file in parts, and shows how much of it the server has written. */
  uploads() {
    return html`<!doctype html>
      <title>Upload</title>
      <ul id="lines"></ul>
      <script>
        const add = (text) =>
          document
            .getElementById("lines")
            .append(Object.assign(document.createElement("li"), { textContent: text }));
        const form = new FormData();
        form.append("file", new File(["x".repeat(3_000_000)], "ä.txt"));
        const source = new EventSource("/progress");
        source.onopen = async () =>
          add(await (await fetch("/upload", { method: "POST", body: form })).text());
        source.onmessage = ({ data }) => {
          add(data);
          source.close();
        };
      </script>`;
  }

  progress() {
    const { promise } = this._written;
    return eventStream(async function* () {
      yield { data: await promise };
    });
  }

  upload = {
    POST: async () => {
      const sizes: number[] = [];
      for await (const part of this.request.parts()) {
        const path = this._folder.file("upload");
        const size = await part.save(path, { onProgress: (bytes) => void sizes.push(bytes) });
        this._written.resolve(`${part.filename}: ${sizes.at(-1)} of ${size} bytes`);
        await this._shown.promise;
        return `stored ${Bun.file(path).size} bytes`;
      }
      return "no file";
    },
  };

  async ws_versions(socket: Socket) {
    await socket.send(await socket.accept({ protocols: ["v2", "v1"] }));
    for await (const _ of socket);
  }

  live() {
    const { lastEventId } = this.request;
    this.lastIds.push(lastEventId);
    return eventStream(
      async function* (this: Site, signal: AbortSignal) {
        const hungUp = new Promise<void>((resolve) => {
          this._hangUp = resolve;
          signal.addEventListener("abort", () => resolve());
        });
        const id = Number(lastEventId?.slice(1) ?? 0) + 1;
        yield { id: `é${id}`, event: "tick", data: { at: id }, retry: 1 };
        await hungUp;
        if (signal.aborted) this._hasLeft.resolve();
      }.bind(this),
    );
  }
}

/** Waits until the page's lines are these. */
async function lines(browser: Browser, ...expected: readonly string[]): Promise<void> {
  const deadline = performance.now() + 10_000;
  let text = "";
  while (performance.now() < deadline) {
    text = String(
      await browser.evaluate(
        "[...document.querySelectorAll('li')].map((li) => li.textContent).join('\\n')",
      ),
    );
    if (text === expected.join("\n")) return;
    await Bun.sleep(5);
  }
  expect(text).toBe(expected.join("\n"));
}

describe.skipIf(!hasBrowser)("streams and sockets, in Chromium", () => {
  let site: Site;
  let url: string;

  beforeAll(() => {
    using _info = quiet("info");
    site = new Site({ maxUploadBytes: 4_000_000 });
    url = `http://localhost:${site.listen(0).port}`;
  });

  afterAll(() => site.close());

  test("two tabs exchange messages, until one logs out", async () => {
    using ann = new Browser();
    await ann.visit(`${url}/login/ann`);
    await lines(ann, "open");
    using ben = new Browser();
    await ben.visit(`${url}/login/ben`);
    await lines(ben, "open");
    await ann.evaluate("socket.send('Tea?')");
    await lines(ben, "open", "ann: Tea?");
    await ben.evaluate("socket.send('Tea.')");
    await lines(ann, "open", "ann: Tea?", "ben: Tea.");
    // Both tabs share their cookies, and so the session.
    await ben.evaluate("void fetch('/leave', { method: 'POST' })");
    await lines(ann, "open", "ann: Tea?", "ben: Tea.", "closed with 4401");
    await lines(ben, "open", "ann: Tea?", "ben: Tea.", "closed with 4401");
  });

  test("an EventSource reconnects by itself, and sends the id of its last event", async () => {
    using tab = new Browser();
    await tab.visit(`${url}/clock`);
    await lines(tab, "é1 1");
    site._hangUp();
    await lines(tab, "é1 1", "é2 2");
    site._hangUp();
    await lines(tab, "é1 1", "é2 2", "é3 3");
    expect(site.lastIds).toEqual([null, "é1", "é2"]);
    await tab.evaluate("source.close()");
    await site._hasLeft.promise;
  });

  test("a file is uploaded, and its progress shown meanwhile", async () => {
    using tab = new Browser();
    await tab.visit(`${url}/uploads`);
    await lines(tab, "ä.txt: 3000000 of 3000000 bytes");
    site._shown.resolve();
    await lines(tab, "ä.txt: 3000000 of 3000000 bytes", "stored 3000000 bytes");
  });

  test("a WebSocket agrees on the best common subprotocol, and fails if there is none", async () => {
    using tab = new Browser();
    await tab.visit(`${url}/clock`);
    const agree = (offered: readonly string[]): Promise<unknown> =>
      tab.evaluate(`new Promise((resolve) => {
          const socket = new WebSocket("/versions", ${JSON.stringify(offered)});
          socket.onmessage = ({ data }) => resolve(socket.protocol + " " + data);
          socket.onerror = () => resolve("refused");
        })`);
    expect(await agree(["v1", "v2"])).toBe("v2 v2");
    expect(await agree(["v1"])).toBe("v1 v1");
    expect(await agree(["v0"])).toBe("refused");
  });
});
