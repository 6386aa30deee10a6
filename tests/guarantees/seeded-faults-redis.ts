import type { SeededFault } from "./seeded-faults.ts";

/** Mistakes that only a machine with Redis notices. */
export const REDIS_FAULTS: readonly SeededFault[] = [
  {
    what: "A new session takes the place of one with the same id, on Redis.",
    file: "src/backends/redis/scripts.ts",
    find: `if isLive(old) then return 0 end
`,
    replace: ``,
    in: "tests/session/manager.test.ts",
    test: "I8: with a generator that repeats itself, nobody's session is opened: RedisSessionBackend",
  },
  {
    what: "On Redis the old id stays beside the new one.",
    file: "src/backends/redis/scripts.ts",
    find: `remove(KEYS[1], old)
redis.call("SET", KEYS[1], ARGV[9], "PX", ARGV[10])
announce(KEYS[1])
return 1`,
    replace: `return 1`,
    in: "tests/session/manager.test.ts",
    test: "the life of a session, on RedisSessionBackend > L1: login() changes the id, keeps the data, and the old id is dead in every process",
  },
  {
    what: "The list of a user's sessions expires with the first of them.",
    file: "src/backends/redis/scripts.ts",
    find: `  if redis.call("PTTL", set) < tonumber(ttl) then redis.call("PEXPIRE", set, ttl) end
`,
    replace: `  if redis.call("PTTL", set) < 0 then redis.call("PEXPIRE", set, ttl) end
`,
    in: "tests/backends/redis/backend.test.ts",
    test: "L7: a user's set lives as long as the session that lives longest",
  },
  {
    what: "What has expired by the clock of one process is taken from the list of a user's sessions.",
    file: "src/backends/redis/scripts.ts",
    find: `if redis.call("EXISTS", sessions .. id) == 0 and sessions .. id ~= key then`,
    replace: `if sessions .. id ~= key then`,
    in: "tests/backends/redis/backend.test.ts",
    test: "L7: a user's set forgets nothing because of a process whose clock is fast",
  },
  {
    what: "An error names the URL of the server.",
    file: "src/backends/redis/connection.ts",
    find: "server: `Redis at ${host || pathname}`",
    replace: "server: `Redis at ${url || host || pathname}`",
    in: "tests/backends/redis/faults.test.ts",
    test: "I7: neither the log nor the answer of a failed request tells an id or a session's data",
  },
  {
    what: "A key that holds something else than a text is an error.",
    file: "src/backends/redis/backend.ts",
    find: `      if (isReply(error, "WRONGTYPE")) return toUnreadable(this.now());
`,
    replace: ``,
    in: "tests/backends/redis/record.test.ts",
    test: "S2: is no session, and an event, never an error: a hash",
  },
  {
    what: "A user's id stands in a text as it is.",
    file: "src/backends/redis/record.ts",
    find: `  return JSON.stringify(userId);`,
    replace: `  return userId === null ? "null" : \`"\${userId}"\`;`,
    in: "tests/backends/every-store.test.ts",
    test: `RedisSessionBackend > S5: takes text that looks like a command for text: "]\\n"`,
  },
  {
    what: "Bun's client keeps what it is asked while the server is away, and sends it later.",
    file: "src/backends/redis/connection.ts",
    find: `      autoReconnect: false,
      enableOfflineQueue: false,`,
    replace: `      autoReconnect: true,
      enableOfflineQueue: true,`,
    in: "tests/backends/redis/faults.test.ts",
    test: "S7: while the server is gone, it is 503 and cookies stay, and all is well afterwards",
  },
  {
    what: "A write on Redis does not ask for the version that it was made from.",
    file: "src/backends/redis/scripts.ts",
    find: `if not isLive(old) or old.version ~= tonumber(ARGV[8]) then return 0 end
put(KEYS[1]`,
    replace: `if not isLive(old) then return 0 end
put(KEYS[1]`,
    in: "tests/guarantees/races.test.ts",
    test: "G6: updates of one counter by four processes at once all count, and each keeps its own key: Redis",
  },
  {
    what: "A write on Redis that changes only contents does not ask for what it was made from.",
    file: "src/backends/redis/scripts.ts",
    find: `if head ~= ARGV[2] then`,
    replace: `if head == "" then`,
    in: "tests/guarantees/races.test.ts",
    test: "requests of one process, on RedisSessionBackend > G6: two requests at once that set two keys lose neither: RedisSessionBackend",
  },
  {
    rule: "G11",
    what: "A write is carried out whenever it reaches Redis.",
    file: "src/backends/redis/scripts.ts",
    find: `> tonumber(ARGV[1]) then`,
    replace: `> tonumber(ARGV[1]) * 2 then`,
    in: "tests/backends/redis/writer.test.ts",
    test: "does nothing any more once it is known to have failed: delete",
  },
  {
    rule: "G11",
    what: "A write has failed as soon as its connection is lost.",
    file: "src/backends/redis/writer.ts",
    find: `    if (!isSettled) await`,
    replace: `    if (isSettled) await`,
    in: "tests/backends/redis/writer.test.ts",
    test: "does not fail before it is sure that nothing will come of it any more",
  },
  {
    rule: "G11",
    what: "What waited for its turn on a connection to Redis that was lost may have been carried out, it says.",
    file: "src/backends/redis/link.ts",
    find: `    else this.#refuseWaiting();
`,
    replace: ``,
    in: "tests/backends/redis/link.test.ts",
    test: "was not sent if the connection is lost before its burst",
  },
  {
    rule: "G11",
    what: "A connection on which nothing comes back is waited on.",
    file: "src/backends/redis/link.ts",
    find: `    if (!this.#isWatched) this.#watch();
`,
    replace: ``,
    in: "tests/backends/redis/connection.test.ts",
    test: "is given up when no reply comes, and another is made",
  },
  {
    rule: "G11",
    what: "A process that stood still takes its own silence for the server's.",
    file: "src/backends/redis/link.ts",
    find: `      this.#silentTicks++;`,
    replace: `      this.#silentTicks += TICKS + 1;`,
    in: "tests/backends/redis/connection.test.ts",
    test: "is kept when this process stands still",
  },
  {
    rule: "G11",
    what: "The connection to a server that was demoted is kept.",
    file: "src/backends/redis/link.ts",
    find: `    if (isReply(error, "READONLY")) this.end();
`,
    replace: ``,
    in: "tests/backends/redis/connection.test.ts",
    test: "leads to the new primary once the old one has been demoted",
  },
  {
    rule: "G11",
    what: "A client of the app's own that has given up fails without a word of what to do.",
    file: "src/backends/redis/own-client.ts",
    find: `if (wasConnected || refusal === undefined)`,
    replace: `if (wasConnected || refusal !== "")`,
    in: "tests/backends/redis/own-client.test.ts",
    test: "a client of the app's own > that has given up reconnecting is reported as that, and ready() connects it again",
  },
  {
    rule: "G11",
    what: "A script that the server has forgotten is an error.",
    file: "src/backends/redis/scripts.ts",
    find: `      if (!isReply(error, "NOSCRIPT")) throw error;`,
    replace: `      if (error instanceof Error) throw error;`,
    in: "tests/backends/redis/faults.test.ts",
    test: "is of no consequence to anybody when the server forgets its scripts",
  },
  {
    what: "What has expired is for the clock of Redis to say.",
    file: "src/backends/redis/scripts.ts",
    find: `tonumber(ARGV[2]), ARGV[3] .. "session:"`,
    replace: `time[1] * 1000, ARGV[3] .. "session:"`,
    in: "tests/guarantees/contract.test.ts",
    test: "G21: a store answers as its contract says: RedisSessionBackend",
  },
  {
    what: "On Redis a logout is not published.",
    file: "src/backends/redis/scripts.ts",
    find: `  redis.pcall("PUBLISH", ARGV[3] .. "ends", toId(key))
`,
    replace: ``,
    in: "tests/guarantees/live-revocation.test.ts",
    test: "a socket of another process, on Redis > X6: is closed when its session ends here, by notice alone",
  },
  {
    what: "What was published while a subscriber of Redis had no connection is not made up for.",
    file: "src/backends/redis/subscribe.ts",
    find: `      await connect();
      listener();`,
    replace: `      await connect();`,
    in: "tests/guarantees/live-revocation.test.ts",
    test: "a subscriber whose connection was ended, on Redis > X6: learns of the ends that it has missed, and of those to come",
  },
];
