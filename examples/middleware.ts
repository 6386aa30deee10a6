// Middleware: a log line for each request, its time in a header, and a transaction around each write.
// Run it: bun examples/middleware.ts

import { Database } from "bun:sqlite";

import { App, HttpError } from "bunpie";

class Bank extends App {
  readonly #db = this.own(new Database(":memory:"));

  constructor() {
    super();
    this.#db.run("CREATE TABLE accounts (name TEXT PRIMARY KEY, cents INTEGER CHECK (cents >= 0))");
    this.#db.run("INSERT INTO accounts VALUES ('ann', 1000), ('ben', 0)");

    // The first middleware is the outermost. If the page throws, so does `next()`.
    this.use(async ({ method, page, path }, next) => {
      const start = performance.now();
      let code = 500;
      try {
        const response = await next();
        code = response.status;
        return response;
      } catch (error) {
        if (error instanceof HttpError) code = error.status;
        throw error;
      } finally {
        const time = (performance.now() - start).toFixed(1);
        this.response.headers.set("server-timing", `app;dur=${time}`);
        // A path may contain "%d", which the console would take for a format unless "%s" inserts it.
        console.info("%s %s %d %s ms", method, page ?? path, code, time);
      }
    });

    // `transfer` is synchronous, and so is `next()`: no other request runs in between. An error that the
    // page throws passes through here and rolls the transaction back.
    this.use((request, next) =>
      request.method === "POST" ? this.#db.transaction(() => next())() : next(),
    );
  }

  index() {
    return this.#db.query("SELECT name, cents FROM accounts").all();
  }

  transfer = {
    POST: (from: string, to: string, cents: string) => {
      if (!/^[1-9]\d{0,8}$/.test(cents)) throw new HttpError(422, "Transfer a number of cents.");
      const add = this.#db.query("UPDATE accounts SET cents = cents + ? WHERE name = ?");
      if (add.run(Number(cents), to).changes === 0) throw new HttpError(404, `No account "${to}".`);
      if (this.#take(from, Number(cents)) === 0) throw new HttpError(404, `No account "${from}".`);
    },
  };

  #take(name: string, cents: number): number {
    try {
      return this.#db.run("UPDATE accounts SET cents = cents - ? WHERE name = ?", [cents, name])
        .changes;
    } catch (cause) {
      throw new HttpError(409, `${name} has too little money.`, { cause });
    }
  }
}

export default new Bank();
