import type { RedisAccount, RedisLike } from "./connection.ts";
import { isReply } from "./errors.ts";

/**
 * The commands that the backend sends or its scripts call, each with arguments to check it with.
 */
export const COMMANDS: Readonly<Record<string, readonly string[]>> = {
  EVAL: ["return 1", "0"],
  EVALSHA: ["", "0"],
  EXISTS: ["KEY"],
  GET: ["KEY"],
  GETRANGE: ["KEY", "0", "0"],
  PEXPIRE: ["KEY", "1"],
  PTTL: ["KEY"],
  SET: ["KEY", "", "PX", "1"],
  TIME: [],
  UNLINK: ["KEY"],
  ZADD: ["KEY", "0", ""],
  ZRANGE: ["KEY", "0", "0"],
  ZREM: ["KEY", ""],
};

/** Returns the {@link COMMANDS} that the user may not run, without running them. */
const MISSING = `
local missing = {}
${Object.entries(COMMANDS)
  .map(([name, args]) => {
    const list = args.map((arg) => (arg === "KEY" ? "KEYS[1]" : JSON.stringify(arg)));
    const call = [JSON.stringify(name), ...list].join(", ");
    return `if not redis.acl_check_cmd(${call}) then missing[#missing + 1] = "${name}" end`;
  })
  .join("\n")}
return missing
`;

const OLDEST_VERSION = 7;

/**
 * Checks that a server can keep sessions under a prefix: its version, that it is a primary, and the
 * user's rights.
 *
 * @throws Error that says what is wrong and what to do.
 */
export async function checkServer(
  redis: RedisLike,
  account: RedisAccount,
  prefix: string,
): Promise<void> {
  const fault =
    findServerFault(toFacts(await redis.send("HELLO", []))) ??
    findRightsFault(await findMissing(redis, account, prefix), account);
  if (fault !== undefined) throw new Error(`${account.server} ${fault}`);
}

/**
 * Logs a warning if the server would evict sessions in use. Logs nothing if the user may not read
 * the setting.
 */
export async function warnOfEviction(redis: RedisLike, { server }: RedisAccount): Promise<void> {
  const info = String(await redis.send("INFO", ["memory"]).catch(() => ""));
  const limit = Number(/^maxmemory:(\d+)/m.exec(info)?.[1] ?? 0);
  const policy = /^maxmemory_policy:([\w-]+)/m.exec(info)?.[1] ?? "noeviction";
  if (limit === 0 || policy === "noeviction") return;
  const warning =
    `${server} has the maxmemory-policy ${policy}: when its memory is full, it evicts sessions that are in ` +
    "use. Set the policy to noeviction.";
  console.warn(warning);
}

function findServerFault(facts: Readonly<Record<string, unknown>>): string | undefined {
  const { mode, role, version } = facts;
  if (mode === "sentinel") return "is a Sentinel. Use the URL of the primary that it watches.";
  if (Number.parseInt(String(version), 10) < OLDEST_VERSION) {
    return `has version ${String(version)}. Sessions need Redis 7.0 or newer: upgrade it.`;
  }
  return role === "replica" ? "is a replica. Use the URL of the primary." : undefined;
}

function findRightsFault(missing: readonly string[], { user }: RedisAccount): string | undefined {
  if (missing.length === 0) return undefined;
  const rights = missing.map((name) => `+${name.toLowerCase()}`).join(" ");
  return `does not let its user ${user} run ${missing.join(", ")}. Grant the rights: ACL SETUSER ${user} ${rights}`;
}

async function findMissing(
  redis: RedisLike,
  { server, user }: RedisAccount,
  prefix: string,
): Promise<readonly string[]> {
  const keys = [`${prefix}session:`, `${prefix}user:`];
  try {
    return (await redis.send("EVAL", [MISSING, "2", ...keys])) as string[];
  } catch (cause) {
    const words = String((cause as Error).message);
    if (isForbiddenKey(words)) {
      const rule = `~${prefix}*`;
      throw new Error(
        `${server} does not let its user ${user} use keys that begin with "${prefix}". Grant the right: ` +
          `ACL SETUSER ${user} ${rule}`,
        { cause },
      );
    }
    if (isReply(cause, "NOPERM")) return ["EVAL"];
    if (isReply(cause, "CROSSSLOT")) {
      throw new Error(
        `${server} is a cluster, and the prefix "${prefix}" has no hash tag. Add one: { prefix: "{bunpie}:" }.`,
        { cause },
      );
    }
    if (isReply(cause, "MOVED")) {
      throw new Error(
        `${server} is a node of a cluster and does not hold the slot of the prefix "${prefix}": ${words}. Use the URL of ` +
          "the node that does.",
        { cause },
      );
    }
    throw cause;
  }
}

function isForbiddenKey(words: string): boolean {
  return /^NOPERM .*\bkeys?\b/.test(words);
}

/** The reply to HELLO as an object, with either version of the protocol. */
function toFacts(reply: unknown): Readonly<Record<string, unknown>> {
  if (!Array.isArray(reply)) return reply as Record<string, unknown>;
  const pairs = Array.from({ length: reply.length / 2 }, (_, index) => reply.slice(index * 2));
  return Object.fromEntries(pairs.map(([name, value]) => [String(name), value as unknown]));
}
