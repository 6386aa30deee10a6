import type { SessionBackend, SessionData } from "bunpie";
import { App, SESSION_TIMEOUT } from "bunpie";
import { TestClient, testSessionBackend } from "bunpie/testing";

export class OwnBackend implements SessionBackend {
  readonly rows = new Map<string, { text: string; until: number }>();

  async load(id: string): Promise<SessionData> {
    const row = this.rows.get(id);
    return row !== undefined && row.until > Date.now() ? (JSON.parse(row.text) as SessionData) : {};
  }

  async save(id: string, data: SessionData, timeout: number): Promise<void> {
    if (timeout === 0) this.rows.delete(id);
    else this.rows.set(id, { text: JSON.stringify(data), until: Date.now() + timeout * 1000 });
  }
}

export class Counter extends App<{ visits: number }> {
  index() {
    const { session } = this.request;
    session.visits = (session.visits ?? 0) + 1;
    return session.visits;
  }
}

export const client = new TestClient(new Counter({ sessionBackend: new OwnBackend(), log: false }));
export const kit = testSessionBackend;
console.log(SESSION_TIMEOUT > 0, await client.text("/"), await client.text("/"));
