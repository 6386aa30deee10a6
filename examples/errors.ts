// Errors: your own error pages, thrown responses, and a report of every bug.
// Run it: bun examples/errors.ts

import { App, html, HttpError, status } from "bunpie";

class Museum extends App {
  index() {
    return page(
      "Museum",
      html`<a href="/room/1">Room 1</a>, <a href="/room/9">room 9</a>,
        <a href="/teapot">the teapot</a>, <a href="/broken">the broken vase</a>`,
    );
  }

  room(number: string) {
    // The message of an HttpError is for visitors.
    if (number !== "1") throw new HttpError(404, `There is no room ${number}.`);
    return page("Room 1", "It is empty.");
  }

  teapot() {
    // A response, not a failure: onError is not called, and the session is stored.
    throw status(418, page("Teapot", "No coffee here."));
  }

  broken() {
    // A bug. Visitors do not see its message.
    throw new Error("The vase is broken.");
  }

  /** What it returns is sent with the error's status. Programs get the default response, browsers a page. */
  override onError(error: HttpError) {
    const wantsHtml = this.request.headers.get("accept")?.includes("text/html");
    if (wantsHtml !== true) return super.onError(error);
    return page(
      error.status === 404 ? "Not here" : "Sorry",
      html`${error.message} <a href="/">Back to the entrance</a>`,
    );
  }

  /** Called for bugs only. In production, notify an error tracker. */
  override onReport(error: unknown) {
    console.error("%s %s:", this.request.method, this.request.path, error);
  }
}

function page(title: string, content: unknown) {
  return html`<!doctype html>
    <html lang="en" style="color-scheme: light dark; font: 1.1rem/1.5 system-ui">
      <meta name="viewport" content="width=device-width" />
      <title>${title}</title>
      <main style="max-width: 40rem; margin: auto; padding: 0 1rem">
        <h1>${title}</h1>
        <p>${content}</p>
      </main>
    </html>`;
}

export default new Museum();
