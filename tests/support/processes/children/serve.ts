// Serves sessions from a database, on a port that it tells, until it is killed.
import { App } from "../../../../src/app/app.ts";
import { SqliteSessionBackend } from "../../../../src/backends/sqlite/backend.ts";

class Site extends App {
  index(): object {
    const { session } = this.request;
    const { ballast: _, ...values } = session;
    return { user: session.meta.userId, values };
  }
  set(key: string, value: string): string {
    const { session } = this.request;
    session[key] = Number(value);
    // Rows of changing sizes move between pages: a commit that is cut short would leave a mess.
    session["ballast"] = "x".repeat((Number(value) * 997) % 6000);
    return value;
  }
  regenerate(): string {
    this.request.session.regenerate();
    return "regenerated";
  }
  login(user: string): string {
    this.request.session.login(user);
    return "logged in";
  }
  end(): string {
    this.request.session.destroy();
    return "ended";
  }
}

const [, , path = ""] = process.argv;
const server = new Site({ sessionBackend: new SqliteSessionBackend(path) }).listen(0);
process.send?.(server.port);
