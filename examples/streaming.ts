// Streaming: a table as CSV, row by row from the database, and a page that fills while the work goes on.
// Run it: bun examples/streaming.ts

import { Database } from "bun:sqlite";

import { App, html, status } from "bunpie";

const ROWS = Number(process.env["ROWS"] ?? 100_000);

class Report extends App {
  readonly #db = this.own(new Database(":memory:"));

  override onStart() {
    this.#db.run(
      `CREATE TABLE sales AS WITH RECURSIVE ids (id) AS
         (SELECT 1 UNION ALL SELECT id + 1 FROM ids WHERE id < ?)
       SELECT id, id * 7 % 100 AS amount FROM ids`,
      [ROWS],
    );
  }

  /** A generator is sent as plain text. `status` is the place for another type. */
  index() {
    return status(200, this.#page(), { "content-type": "text/html;charset=utf-8" });
  }

  csv() {
    return status(200, this.#rows(), {
      "content-type": "text/csv;charset=utf-8",
      "content-disposition": 'attachment; filename="sales.csv"',
    });
  }

  async *#page() {
    // prettier-ignore
    yield html`<!doctype html>
      <html lang="en" style="color-scheme: light dark; font: 1.1rem/1.5 system-ui">
        <meta name="viewport" content="width=device-width" />
        <title>Sales</title>
        <main style="max-width: 40rem; margin: auto; padding: 0 1rem">
          <h1>Sales</h1>
          <p><a href="${this.link(this.csv)}">All ${ROWS} sales as CSV</a></p>
          <ul>`;
    // What is open stays open: pieces are sent as they are.
    for (let quarter = 1; quarter <= 4; quarter++) yield html`<li>${await this.#sum(quarter)}</li>`;
    yield html`</ul></main></html>`;
  }

  /** Memory stays small however many rows there are: the next is read when the browser wants it. */
  *#rows() {
    yield "id,amount\n";
    const rows = this.#db.query<{ id: number; amount: number }, []>("SELECT * FROM sales");
    for (const { id, amount } of rows.iterate()) yield `${id},${amount}\n`;
  }

  async #sum(quarter: number): Promise<string> {
    await Bun.sleep(300); // In earnest, a slow query.
    const { sum } = this.#db
      .query<{ sum: number }, [number]>("SELECT sum(amount) AS sum FROM sales WHERE id % 4 = ? - 1")
      .get(quarter) ?? { sum: 0 };
    return `Quarter ${quarter}: ${sum}`;
  }
}

export default new Report();
