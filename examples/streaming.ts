// Streaming: a table as CSV, row by row from the database, and a page that is sent while its parts are computed.
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

  /** A generator is sent as plain text, unless `status` sets another type. */
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
    // Pieces are sent as they are, so an element may begin in one and end in another.
    for (let quarter = 1; quarter <= 4; quarter++) yield html`<li>${await this.#sum(quarter)}</li>`;
    yield html`</ul></main></html>`;
  }

  /** Uses little memory for any number of rows: the next row is read when the browser is ready for it. */
  *#rows() {
    yield "id,amount\n";
    const rows = this.#db.query<{ id: number; amount: number }, []>("SELECT * FROM sales");
    for (const { id, amount } of rows.iterate()) yield `${id},${amount}\n`;
  }

  async #sum(quarter: number): Promise<string> {
    await Bun.sleep(300); // Stands for a slow query.
    const { sum } = this.#db
      .query<{ sum: number }, [number]>("SELECT sum(amount) AS sum FROM sales WHERE id % 4 = ? - 1")
      .get(quarter) ?? { sum: 0 };
    return `Quarter ${quarter}: ${sum}`;
  }
}

export default new Report();
