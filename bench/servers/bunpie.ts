// The counter as the README has it, a page that only reads the session, and one that leaves it alone.
//
// bun bunpie.ts <file> memory|normal|full
import { SqliteSessionBackend } from "../../src/backends/sqlite/backend.ts";
import { App } from "../../src/index.ts";
import { ADDRESS, announce, tally } from "./announce.ts";

class Counter extends App<{ visits: number }> {
  index() {
    tally.handled++;
    const { session } = this.request;
    session.visits = (session.visits ?? 0) + 1;
    return `You have visited ${session.visits} times.`;
  }

  page() {
    return `You have visited ${this.request.session.visits} times.`;
  }

  plain() {
    return "hello";
  }
}

const [file = "", storage] = process.argv.slice(2);
const app =
  storage === "normal" || storage === "full"
    ? new Counter({ sessionBackend: new SqliteSessionBackend(file, { synchronous: storage }) })
    : new Counter();
announce(app.listen(ADDRESS));
