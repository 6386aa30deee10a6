// A microblog: sign up and log in, pages for members only, forms, and messages after redirects.
// Run it: bun examples/microblog.ts

import { Database } from "bun:sqlite";

import type { Html } from "bunpie";
import { App, html } from "bunpie";
import { z } from "zod";

// The name is the session's user id and appears in the log, so allow only letters, digits and _.
const Member = z.object({ name: z.string().regex(/^\w{1,20}$/), password: z.string().min(8) });
const RULES = "Name: letters, digits and _, up to 20. Password: 8 characters or more.";
const Post = z.object({ text: z.string().trim().min(1).max(280) });

class Microblog extends App {
  readonly #db = this.own(new Database("microblog.db"));

  override onStart() {
    this.#db.run("CREATE TABLE IF NOT EXISTS members (name TEXT PRIMARY KEY, hash TEXT)");
    this.#db.run("CREATE TABLE IF NOT EXISTS posts (author TEXT, text TEXT)");
  }

  index() {
    const { session } = this.request;
    const posts = this.#db
      .query<{ author: string; text: string }, []>("SELECT * FROM posts ORDER BY rowid DESC")
      .all();
    return this.#page(html`
      ${session.meta.userId === null ? html`<p><a href="/login">Log in</a></p>` : this.#forms()}
      ${posts.map(({ author, text }) => html`<p><b>${author}</b><br />${text}</p>`)}
    `);
  }

  post = {
    POST: async () => {
      const author = this.requireLogin();
      const { text } = await this.request.form(Post);
      this.#db.run("INSERT INTO posts VALUES (?, ?)", [author, text]);
      return this.redirect("/", 303);
    },
  };

  login = {
    GET: () => this.#page(this.#loginForm()),
    POST: async () => {
      const again = () => this.#page(this.#loginForm(RULES));
      const { name, password } = await this.request.form(Member, again);
      // A new name signs up. In production, limit the attempts per address.
      const hash = await Bun.password.hash(password);
      this.#db.run("INSERT OR IGNORE INTO members VALUES (?, ?)", [name, hash]);
      const member = this.#db
        .query<{ hash: string }, [string]>("SELECT hash FROM members WHERE name = ?")
        .get(name);
      if (!(await Bun.password.verify(password, member?.hash ?? hash)))
        return this.#page(this.#loginForm("Wrong password."));
      const { session } = this.request;
      session.login(name);
      session.flash("notice", `Welcome, ${name}.`);
      return this.redirectBack("/");
    },
  };

  logout = {
    POST: () => {
      this.request.session.destroy();
      return this.redirect("/", 303);
    },
  };

  #forms() {
    return html`<form method="post" action="/logout"><button>Log out</button></form>
      <form method="post" action="/post">
        <label for="text">What is new?</label>
        <textarea id="text" name="text" maxlength="280" required style="width: 100%"></textarea>
        <button>Post</button>
      </form>`;
  }

  #loginForm(problem?: string) {
    return html`<form method="post">
      <p role="alert">${problem}</p>
      <p>
        <label>Name <input name="name" autocomplete="username" required /></label>
      </p>
      <p>
        <label>
          Password
          <input type="password" name="password" autocomplete="current-password" required />
        </label>
      </p>
      <button>Log in or sign up</button>
    </form>`;
  }

  #page(content: Html) {
    return html`<!doctype html>
      <html lang="en" style="color-scheme: light dark; font: 1.1rem/1.5 system-ui">
        <meta name="viewport" content="width=device-width" />
        <title>Microblog</title>
        <main style="max-width: 40rem; margin: auto; padding: 0 1rem">
          <h1>Microblog</h1>
          <p role="status">${this.request.session.flash("notice")}</p>
          ${content}
        </main>
      </html>`;
  }
}

export default new Microblog();
