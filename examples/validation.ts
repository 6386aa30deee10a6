// Validation: one schema for a form, which is shown again with its problems, and one for the query.
// Run it: bun examples/validation.ts

import type { Problem } from "bunpie";
import { App, html } from "bunpie";
import { z } from "zod";

const Booking = z.object({
  name: z.string().trim().min(1, "Tell us your name."),
  guests: z.coerce.number("Write a number.").int().min(1, "At least one.").max(8, "At most 8."),
  vegetarian: z.stringbool().default(false),
});
const Thanks = z.object({ guests: z.coerce.number().int().default(1) });

class Restaurant extends App {
  index = {
    GET: () => this.#form(),
    POST: async () => {
      const { guests } = await this.request.form(Booking, (problems, fields) =>
        this.#form(problems, fields),
      );
      return this.redirect(`${this.link(this.thanks)}?guests=${guests}`, 303);
    },
  };

  async thanks() {
    const { guests } = await this.request.query(Thanks);
    return `A table for ${guests} it is.`;
  }

  #form(problems: readonly Problem[] = [], fields = new URLSearchParams()) {
    const field = (name: string, label: string) => {
      const problem = problems.find(({ path }) => path === name)?.message;
      return html`<p>
        <label for="${name}">${label}</label><br />
        <input
          id="${name}"
          name="${name}"
          value="${fields.get(name)}"
          aria-invalid="${problem === undefined ? "false" : "true"}"
          aria-describedby="${name}-problem"
        />
        <span id="${name}-problem">${problem}</span>
      </p>`;
    };
    return html`<!doctype html>
      <html lang="en" style="color-scheme: light dark; font: 1.1rem/1.5 system-ui">
        <meta name="viewport" content="width=device-width" />
        <title>Book a table</title>
        <main style="max-width: 40rem; margin: auto; padding: 0 1rem">
          <h1>Book a table</h1>
          <form method="post">
            ${field("name", "Name")} ${field("guests", "Guests")}
            <p>
              <label>
                <input type="checkbox" name="vegetarian" ${fields.has("vegetarian") && "checked"} />
                Vegetarian
              </label>
            </p>
            <button>Book</button>
          </form>
        </main>
      </html>`;
  }
}

export default new Restaurant();
