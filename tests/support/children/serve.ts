// Serves sessions from a database, on a port that it tells, until it is killed.
import { App } from "../../../src/app/app.ts";
import { SqliteSessionBackend } from "../../../src/backends/sqlite.ts";

class Site extends App<Record<string, number>> {
  index(): object {
    return { ...this.request.session };
  }
  set(value: string): string {
    this.request.session["value"] = Number(value);
    return value;
  }
  end(): string {
    this.request.session.destroy();
    return "ended";
  }
}

const [, , path = ""] = process.argv;
const server = new Site({ sessionBackend: new SqliteSessionBackend(path) }).listen(0);
process.send?.(server.port);
