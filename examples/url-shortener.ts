// A URL shortener: a page, short links with routes(), and an API as a separate, mounted app.
// Run it: bun examples/url-shortener.ts

import { App, html, HttpError, routes, status } from "bunpie";
import { z } from "zod";

const Target = z.object({ url: z.url({ protocol: /^https?$/ }) });

/** The links, shared by both apps. */
const targets = new Map<string, string>();

class Api extends App {
  links = routes({
    "/": {
      GET: () => Object.fromEntries(targets),
      POST: async (): Promise<Response> => {
        const id = shorten((await this.request.json(Target)).url);
        return status(201, { id }, { location: this.link(this.links, "/:id", id) });
      },
    },
    "/:id": {
      GET: (id) => ({ id, url: find(id) }),
      DELETE: (id) => void targets.delete(id),
    },
  });
}

class Shortener extends App {
  constructor() {
    super();
    this.mount("/api/v1", new Api());
  }

  index = routes({
    "/": {
      GET: () => this.#page(),
      POST: async () => {
        const { url } = await this.request.form(Target, () => this.#page("That is not a URL."));
        return this.#page(`Short: ${new URL(`/${shorten(url)}`, this.request.url).href}`);
      },
    },
    "/:id": (id) => this.redirect(find(id)),
  });

  #page(notice?: string) {
    return html`<!doctype html>
      <html lang="en" style="color-scheme: light dark; font: 1.1rem/1.5 system-ui">
        <meta name="viewport" content="width=device-width" />
        <title>URL shortener</title>
        <main style="max-width: 40rem; margin: auto; padding: 0 1rem">
          <h1>URL shortener</h1>
          <p role="status">${notice}</p>
          <form method="post">
            <label>URL <input type="url" name="url" required style="width: 100%" /></label>
            <p><button>Shorten</button></p>
          </form>
        </main>
      </html>`;
  }
}

function shorten(url: string): string {
  const id = crypto.randomUUID().slice(0, 6);
  targets.set(id, url);
  return id;
}

function find(id: string): string {
  const url = targets.get(id);
  if (url === undefined) throw new HttpError(404, "There is no such link.");
  return url;
}

export default new Shortener();
