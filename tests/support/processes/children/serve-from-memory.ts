// Serves sessions from memory and takes bodies, on a port that it tells, until it is killed.
import { App } from "../../../../src/app/app.ts";

class Site extends App<{ visits: number }> {
  index(): string {
    const { session } = this.request;
    session.visits = (session.visits ?? 0) + 1;
    return String(session.visits);
  }
  async upload(): Promise<string> {
    return String((await this.request.text()).length);
  }
}

const [, , idleTimeout = ""] = process.argv;
const options = idleTimeout === "" ? {} : { idleTimeout: Number(idleTimeout) };
const server = new Site().listen({ port: 0, ...options });
process.send?.(server.port);
