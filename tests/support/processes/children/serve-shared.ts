// Serves sessions from a store that it shares with other processes, on a port that it shares too.
import { App } from "../../../../src/app/app.ts";
import { sharedBackend } from "../../stores/shared-backends.ts";

class Site extends App<Record<string, number>> {
  login(user: string): object {
    this.request.session.login(user);
    return this.#said("in");
  }
  async count(): Promise<object> {
    const isStored = await this.request.session.update((stored) => {
      stored["count"] = (stored["count"] ?? 0) + 1;
    });
    return this.#said(isStored);
  }
  set(key: string): object {
    this.request.session[key] = 1;
    return this.#said(key);
  }
  data(): object {
    return this.#said({ ...this.request.session });
  }
  who(): object {
    return this.#said(this.request.session.meta.userId);
  }
  logout(): object {
    this.request.session.destroy();
    return this.#said("out");
  }
  #said(value: unknown): object {
    return { by: process.pid, value };
  }
}

const [, , kind = "", target = "", port = ""] = process.argv;
const app = new Site({ sessionBackend: sharedBackend(kind, target) });
const server = app.listen({ port: Number(port), reusePort: true });
process.once("message", async () => {
  await app.close();
  process.disconnect?.();
});
process.send?.(server.port);
