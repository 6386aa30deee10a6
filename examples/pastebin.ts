// A pastebin: a form, a table in SQLite, and for each paste a page and its raw text.
// Run it: bun examples/pastebin.ts

import { Database } from "bun:sqlite";

import type { Html } from "bunpie";
import { App, html, HttpError } from "bunpie";

class Pastebin extends App {
  readonly #db = this.own(new Database("pastes.db"));

  override onStart() {
    this.#db.run("CREATE TABLE IF NOT EXISTS pastes (id TEXT PRIMARY KEY, text TEXT NOT NULL)");
  }

  index = {
    GET: () =>
      page(
        "New paste",
        html`<form method="post">
          <p><label for="text">Text</label></p>
          <textarea id="text" name="text" rows="12" required style="width: 100%"></textarea>
          <p><button>Save</button></p>
        </form>`,
      ),
    POST: async () => {
      const text = (await this.request.form()).get("text") ?? "";
      if (text.trim() === "") throw new HttpError(422, "The paste is empty.");
      const id = crypto.randomUUID().slice(0, 8);
      this.#db.run("INSERT INTO pastes VALUES (?, ?)", [id, text]);
      return this.redirect(this.link(this.paste, id), 303);
    },
  };

  paste(id: string) {
    return page(
      `Paste ${id}`,
      html`<pre tabindex="0" style="overflow: auto">${this.#read(id)}</pre>
        <p><a href="${this.link(this.raw, id)}">Raw</a> · <a href="/">New paste</a></p>`,
    );
  }

  /** A string is sent as plain text, so a paste can never run as HTML. */
  raw(id: string) {
    return this.#read(id);
  }

  #read(id: string): string {
    const row = this.#db
      .query<{ text: string }, [string]>("SELECT text FROM pastes WHERE id = ?")
      .get(id);
    if (row === null) throw new HttpError(404, "There is no such paste.");
    return row.text;
  }
}

function page(title: string, content: Html): Html {
  return html`<!doctype html>
    <html lang="en" style="color-scheme: light dark; font: 1.1rem/1.5 system-ui">
      <meta name="viewport" content="width=device-width" />
      <title>${title}</title>
      <main style="max-width: 40rem; margin: auto; padding: 0 1rem">
        <h1>${title}</h1>
        ${content}
      </main>
    </html>`;
}

export default new Pastebin();
