// What somebody would write with Bunpie who wants to know whether it keeps its word. Serves on a port that
// it is given, over a store that it is given, until it is ended.
//
// bun bunpie.ts <port> sqlite|postgres|redis <file or URL>
import type { SessionBackend } from "bunpie";
import { App } from "bunpie";
import { PostgresSessionBackend } from "bunpie/postgres";
import { RedisSessionBackend } from "bunpie/redis";
import { SqliteSessionBackend } from "bunpie/sqlite";

interface Data {
  nonce: string;
  owner: string;
  count: number;
  a: string;
  b: string;
  c: string;
}

const KEYS = ["a", "b", "c"] as const;

class Site extends App<Data> {
  read() {
    return this.#look();
  }

  begin = {
    POST: () => {
      const { session } = this.request;
      const seen = this.#look();
      session.nonce ??= this.request.query("value", "");
      session.owner ??= this.request.query("device", "");
      return { ...seen, after: session.nonce };
    },
  };

  add = {
    POST: async () => {
      const seen = this.#look();
      if (seen.nonce === null) return { ...seen, kept: false };
      let counted = 0;
      const kept = await this.request.session.update((stored) => {
        counted = (stored.count ?? 0) + 1;
        stored.count = counted;
      });
      return { ...seen, kept, counted };
    },
  };

  set = {
    POST: async () => {
      const seen = this.#look();
      if (seen.nonce === null) return { ...seen, kept: false };
      this.request.session[this.#key()] = this.request.query("value", "");
      return { ...seen, kept: await this.request.session.save() };
    },
  };

  write = {
    POST: () => {
      const seen = this.#look();
      if (seen.nonce !== null) {
        this.request.session[this.#key()] = this.request.query("value", "");
      }
      return seen;
    },
  };

  login = {
    POST: async () => {
      const { session } = this.request;
      const seen = this.#look();
      session.login(this.request.query("account", ""));
      let after: string | null = null;
      const kept = await session.update((stored) => {
        stored.nonce ??= this.request.query("value", "");
        stored.owner ??= this.request.query("device", "");
        after = stored.nonce;
      });
      return { ...seen, kept, after };
    },
  };

  regenerate = {
    POST: () => {
      const seen = this.#look();
      this.request.session.regenerate();
      return seen;
    },
  };

  renew = {
    POST: async () => {
      const seen = this.#look();
      this.request.session.regenerate();
      return { ...seen, kept: await this.request.session.save() };
    },
  };

  logout = {
    POST: () => {
      const seen = this.#look();
      this.request.session.destroy();
      return seen;
    },
  };

  everywhere = { POST: () => this.#revoke(null) };

  elsewhere = { POST: () => this.#revoke(this.request.session.meta.handle) };

  async #revoke(except: string | null) {
    const seen = this.#look();
    if (seen.user === null) return { ...seen, kept: false };
    await this.sessions.revokeAll(seen.user, { except });
    return { ...seen, kept: true };
  }

  #look() {
    const { session } = this.request;
    const { nonce = null, owner = null, count = 0 } = session;
    const values: Record<string, string> = {};
    for (const key of KEYS) {
      const value = session[key];
      if (value !== undefined) values[key] = value;
    }
    return { nonce, owner, user: session.meta.userId, count, values };
  }

  #key(): (typeof KEYS)[number] {
    const asked = this.request.query("key", "a");
    return KEYS.find((key) => key === asked) ?? "a";
  }
}

const [port = "", store = "", target = ""] = process.argv.slice(2);
const sessionBackend = toBackend();
new Site({ sessionBackend, session: { sweepInterval: 5, maxPerUser: 10_000 } }).listen({
  port: Number(port),
  hostname: "127.0.0.1",
});
process.on("disconnect", () => process.exit());
process.send?.("ready");

function toBackend(): SessionBackend {
  switch (store) {
    case "sqlite":
      return new SqliteSessionBackend(target);
    case "postgres":
      return new PostgresSessionBackend(target);
    case "redis":
      return new RedisSessionBackend(target);
    default:
      throw new Error(`There is no store "${store}".`);
  }
}
