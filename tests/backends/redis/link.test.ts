import { beforeEach, describe, expect, test } from "bun:test";

import { NotSent } from "../../../src/backends/redis/errors.ts";
import { Link } from "../../../src/backends/redis/link.ts";

/** A client that notes what it sends, and is answered by the test. */
class Client {
  connected = true;
  closed = 0;
  readonly sent: string[] = [];
  readonly #unanswered: PromiseWithResolvers<string>[] = [];

  send(command: string): Promise<string> {
    this.sent.push(command);
    const reply = Promise.withResolvers<string>();
    this.#unanswered.push(reply);
    return reply.promise;
  }

  /** Answers the oldest command. */
  answer(reply: string | Error = "OK"): void {
    const { resolve, reject } = this.#unanswered.shift() ?? Promise.withResolvers();
    if (reply instanceof Error) reject(reply);
    else resolve(reply);
  }

  /** Loses the connection, as Bun's client does. */
  lose(): void {
    this.connected = false;
    for (const { reject } of this.#unanswered.splice(0)) reject(new Error("Connection closed"));
  }

  close(): void {
    this.closed++;
  }
}

/** Settles once the event loop has turned, and what is sent now goes with another burst. */
function nextTurn(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve);
  });
}

function outcome(reply: Promise<unknown>): Promise<string> {
  return reply.then(String, String);
}

describe("a command to Redis", () => {
  let client: Client;
  let link: Link;

  beforeEach(() => {
    client = new Client();
    link = new Link(client, "Redis at home", 60_000);
  });

  const send = (command: string): Promise<unknown> => link.send(command, []);

  test("is sent at once if none is in flight", async () => {
    const reply = send("A");
    expect(client.sent).toEqual(["A"]);
    client.answer("a");
    expect(await reply).toBe("a");
    await nextTurn();
    void send("B");
    expect(client.sent).toEqual(["A", "B"]);
  });

  test("is sent with others of the same turn of the event loop", async () => {
    const replies = [send("A"), send("B")];
    await Promise.resolve();
    replies.push(send("C"));
    expect(client.sent).toEqual(["A", "B", "C"]);
    for (const reply of ["a", "b", "c"]) client.answer(reply);
    expect(await Promise.all(replies)).toEqual(["a", "b", "c"]);
  });

  test("is sent with what follows from the replies to a burst", async () => {
    const replies = ["A", "B"].map((command) => send(command).then(() => send(command.repeat(2))));
    await nextTurn();
    client.answer();
    client.answer();
    await nextTurn();
    expect(client.sent).toEqual(["A", "B", "AA", "BB"]);
    client.answer("aa");
    client.answer("bb");
    expect(await Promise.all(replies)).toEqual(["aa", "bb"]);
  });

  test("waits for the burst in flight, and is sent with all that wait", async () => {
    const first = [send("A"), send("B")];
    await nextTurn();
    const second = [send("C"), send("D")];
    client.answer();
    await nextTurn();
    expect(client.sent).toEqual(["A", "B"]);
    client.answer();
    await Promise.all(first);
    expect(client.sent).toEqual(["A", "B", "C", "D"]);
    client.answer("c");
    client.answer(new Error("ERR no"));
    expect(await Promise.all(second.map(outcome))).toEqual(["c", "Error: ERR no"]);
  });

  test("was not sent if the connection is lost before its burst", async () => {
    const lost = outcome(send("A"));
    await nextTurn();
    const waiting = send("B").catch((error: unknown) => error);
    client.lose();
    expect(await lost).toBe(
      "Error: Redis at home closed the connection before it answered. The command may or may not have been carried out.",
    );
    const error = await waiting;
    expect(error).toBeInstanceOf(NotSent);
    expect(String(error)).toBe(
      "Error: The connection to Redis at home was lost before the command was sent; the command is not carried out. " +
        "The next request connects again.",
    );
    expect(client.sent).toEqual(["A"]);
  });

  test("is still sent and answered if the connection is released before its burst", async () => {
    const first = send("A");
    await nextTurn();
    const waiting = send("B");
    link.end();
    client.answer("a");
    expect(await first).toBe("a");
    expect(client.closed).toBe(0);
    client.answer("b");
    expect(await waiting).toBe("b");
    expect(client.closed).toBe(1);
  });
});
