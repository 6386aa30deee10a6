import { describe, expect, test } from "bun:test";

import { TestClient } from "../../src/testing/client.ts";
import { Connection } from "../support/connection.ts";
import { ServedApp } from "../support/processes/served-app.ts";
import { head } from "../support/raw.ts";

describe.each(["live-listening.ts", "live-default-export.ts"])("shutdown of %s", (file) => {
  test.each(["SIGINT", "SIGTERM"] as const)(
    "ends its streams and sockets at once on %s, without waiting for them",
    async (signal) => {
      // An end after the deadline would be forced: then the test waits for as long, and fails.
      await using child = new ServedApp(file);
      const url = await child.url();
      const client = new TestClient(url);
      const socket = await client.socket("/socket");
      socket.send("hello");
      expect(await socket.receive()).toBe("hello");
      const stream = await Connection.open(Number(url.port));
      stream.send(head("GET /stream HTTP/1.1"));
      while (!stream.received.includes("tick")) await Bun.sleep(1);
      const events = client.events("/events");
      expect((await events.next()).value).toEqual({ event: "message", data: "tick", id: "1" });
      const deaf = await Connection.open(Number(url.port));
      deaf.send(head("GET /stream HTTP/1.1"));
      deaf.pause();

      const since = performance.now();
      child.process.kill(signal);
      expect(await socket.closed).toEqual({ code: 1001, reason: "The server is shutting down." });
      expect((await events.next()).done).toBeTrue();
      await stream.closed();
      await child.message("socket ended");
      expect(await child.ended()).toBe(0);
      expect(performance.now() - since).toBeLessThan(5_000);
      expect(child.errors).toBe("");
      deaf.close();
    },
    20_000,
  );
});
