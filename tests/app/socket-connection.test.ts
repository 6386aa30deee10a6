import { describe, expect, test } from "bun:test";

import type { Host } from "../../src/app/live.ts";
import { LiveSet } from "../../src/app/live.ts";
import type { RawMessage, Wire } from "../../src/app/socket-connection.ts";
import { SocketConnection } from "../../src/app/socket-connection.ts";

/** Bun's end of a socket, which writes down what is asked of it. */
class FakeWire implements Wire {
  readonly log: unknown[] = [];
  /** What `send` returns. */
  sent = 1;
  /** How many bytes are unsent. */
  unsent = 0;

  send(data: RawMessage): number {
    this.log.push(data);
    return this.sent;
  }

  getBufferedAmount(): number {
    return this.unsent;
  }

  close(code: number): void {
    this.log.push(code);
  }

  pause(): void {
    this.log.push("pause");
  }

  resume(): void {
    this.log.push("resume");
  }

  subscribe(): void {}
  unsubscribe(): void {}
  publish(): void {}
}

const HOST: Host = {
  arrived: new Request("http://localhost/"),
  server: undefined,
  open: undefined,
  site: { live: new LiveSet(), idleTimeout: 10, onSessionEnd: () => () => undefined },
  report: () => undefined,
  reportLost: () => undefined,
};

function open() {
  const connection = new SocketConnection(HOST);
  const wire = new FakeWire();
  connection.open(wire);
  return { connection, wire };
}

describe("a connection whose page reads", () => {
  test("X8: stops the client at 64 messages, and resumes at half of them", async () => {
    const { connection, wire } = open();
    const first = connection.next();
    connection.receive("first");
    expect(await first).toBe("first");
    for (let count = 0; count < 63; count++) connection.receive(String(count));
    expect(wire.log).toEqual([]);
    connection.receive("63");
    // What Bun has read already arrives all the same.
    connection.receive("64");
    expect(wire.log).toEqual(["pause"]);
    for (let count = 0; count < 33; count++) expect(await connection.next()).toBe(String(count));
    expect(wire.log).toEqual(["pause"]);
    expect(await connection.next()).toBe("33");
    expect(wire.log).toEqual(["pause", "resume"]);
    for (let count = 34; count < 65; count++) expect(await connection.next()).toBe(String(count));
  });

  test("X8: stops the client at 256 KiB", async () => {
    const { connection, wire } = open();
    const first = connection.next();
    connection.receive("first");
    await first;
    connection.receive(new Uint8Array(256 * 1024 - 1));
    expect(wire.log).toEqual([]);
    connection.receive("1");
    expect(wire.log).toEqual(["pause"]);
    await connection.next();
    expect(wire.log).toEqual(["pause", "resume"]);
  });

  test("receives what arrived before the client closed it, and nothing from before it closed it itself", async () => {
    const one = open();
    one.connection.receive("a");
    one.connection.closed();
    one.connection.receive("b");
    expect([await one.connection.next(), await one.connection.next()]).toEqual(["a", undefined]);
    const two = open();
    two.connection.receive("a");
    two.connection.close(4401, "");
    expect(await two.connection.next()).toBeUndefined();
    expect(two.wire.log).toEqual([4401]);
  });

  test("serves several readers in turn", async () => {
    const { connection } = open();
    const reads = [connection.next(), connection.next(), connection.next()];
    connection.receive("a");
    connection.receive("b");
    connection.closed();
    expect(await Promise.all(reads)).toEqual(["a", "b", undefined]);
  });
});

describe("a connection that sends", () => {
  test("waits for the client, and notices when the client is gone", async () => {
    const { connection, wire } = open();
    wire.sent = -1;
    const [first, second] = [connection.send("a"), connection.send("b")];
    connection.drain();
    expect([await first, await second]).toEqual([true, true]);
    const third = connection.send("c");
    connection.closed();
    expect(await third).toBe(false);
    expect(await connection.send("d")).toBe(false);
    expect(wire.log).toEqual(["a", "b", "c"]);
  });

  test("X8: waits until at most 512 KiB are unsent, however often Bun has sent a part", async () => {
    const { connection, wire } = open();
    wire.sent = -1;
    let isSent = false;
    const sending = connection.send("a").then(() => (isSent = true));
    for (const unsent of [20 * 1024 * 1024, 1024 * 1024, 512 * 1024 + 1]) {
      wire.unsent = unsent;
      connection.drain();
      await Bun.sleep(0);
      expect(isSent).toBe(false);
    }
    wire.unsent = 512 * 1024;
    connection.drain();
    expect(await sending).toBe(true);
  });

  test("notices that the client is gone before it has read all", async () => {
    const { connection, wire } = open();
    [wire.sent, wire.unsent] = [-1, 20 * 1024 * 1024];
    const sending = connection.send("a");
    connection.closed();
    expect(await sending).toBe(false);
  });
});
