// Background work: the visitor does not wait for the mail, but the app's shutdown does.
// Run it: bun examples/background.ts

import { Database } from "bun:sqlite";

import { App, html } from "bunpie";
import { z } from "zod";

const Signup = z.object({ email: z.email() });

class Newsletter extends App {
  readonly #db = this.own(new Database("newsletter.db"));

  override onStart() {
    this.#db.run("CREATE TABLE IF NOT EXISTS mails (email TEXT)");
  }

  index = {
    GET: () => this.#form(),
    POST: async () => {
      const { email } = await this.request.form(Signup, () =>
        this.#form("That is not an email address."),
      );
      this.waitUntil(this.#sendMail(email));
      return this.#form("Thank you. A mail is on its way.");
    },
  };

  sent() {
    return this.#db.query("SELECT email FROM mails").all();
  }

  /** Called for bugs, and when work passed to `waitUntil` fails. In production, notify an error tracker. */
  override onReport(error: unknown) {
    console.error("Error in the newsletter:", error);
  }

  /** Stands for a slow SMTP server. */
  async #sendMail(email: string): Promise<void> {
    await Bun.sleep(500);
    if (email.endsWith("@example.invalid")) throw new Error(`No mail reaches ${email}.`);
    this.#db.run("INSERT INTO mails VALUES (?)", [email]);
  }

  #form(notice?: string) {
    return html`<!doctype html>
      <html lang="en" style="color-scheme: light dark; font: 1.1rem/1.5 system-ui">
        <meta name="viewport" content="width=device-width" />
        <title>Newsletter</title>
        <main style="max-width: 40rem; margin: auto; padding: 0 1rem">
          <h1>Newsletter</h1>
          <p role="status">${notice}</p>
          <form method="post">
            <label>Email <input type="email" name="email" autocomplete="email" required /></label>
            <button>Sign up</button>
          </form>
        </main>
      </html>`;
  }
}

export default new Newsletter();
