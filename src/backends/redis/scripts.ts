import type { RedisLike } from "./connection.ts";
import { isReply } from "./errors.ts";
import { HEAD_BYTES } from "./record.ts";

/** A Lua script, which Redis runs atomically. */
export class Script {
  readonly #text: string;
  readonly #hash: string;

  /**
   * The body may call the functions of `prelude`. The script never runs late: see {@link IN_TIME}.
   */
  constructor(body: string, prelude = COMMON) {
    this.#text = IN_TIME + prelude + body;
    this.#hash = Bun.SHA1.hash(this.#text, "hex");
  }

  /**
   * Runs the script by its hash, or by its text if the server does not know it, after a restart.
   */
  run(redis: RedisLike, keys: readonly string[], args: readonly string[]): Promise<unknown> {
    const rest = [String(keys.length), ...keys, ...args];
    return redis.send("EVALSHA", [this.#hash, ...rest]).catch((error: unknown) => {
      if (!isReply(error, "NOSCRIPT")) throw error;
      return redis.send("EVAL", [this.#text, ...rest]);
    });
  }
}

/** Fails without effect once the server's clock has passed ARGV[1]. */
const IN_TIME = String.raw`
local time = redis.call("TIME")
if time[1] * 1000 + time[2] / 1000 > tonumber(ARGV[1]) then
  return redis.error_reply("LATE The script reached the server too late and was not carried out.")
end
`;

/**
 * Functions that the scripts share. A session is a string under a key of its own (record.ts), and
 * so is the note that a rotation leaves. Each user has a sorted set of session ids, scored by when
 * they were touched.
 *
 * The app's clock, ARGV[2], decides what has expired. ARGV[3] is the prefix of all keys.
 *
 * Redis does not roll back a failed script. So the writes that it may refuse, for example when
 * memory is full, come first; at worst they leave a superfluous id in a set.
 */
const COMMON = String.raw`
local now, sessions, users = tonumber(ARGV[2]), ARGV[3] .. "session:", ARGV[3] .. "user:"

-- The session or note under a key, expired or not, from the first bytes of its text. An unreadable
-- session has version 0, a note version -1.
local function find(key)
  local text = redis.pcall("GETRANGE", key, 0, ${HEAD_BYTES - 1})
  if text == "" then return nil end
  if type(text) == "table" then
    if not string.find(text.err, "^WRONGTYPE") then error(text) end
    text = ""
  end
  local by, till = string.match(text, "^>(%S+) (%-?%d+%.?%d*)$")
  if by then return { version = -1, expiresAt = tonumber(till), user = "null", by = by } end
  local version, expiresAt, touchedAt, rest, user =
    string.match(text, "^%[(%d+),(%-?%d+%.?%d*),(%-?%d+%.?%d*),()[^\n]*,\n([^\n]*)%]\n")
  if not version then return { version = 0, expiresAt = math.huge, user = "null" } end
  return {
    version = tonumber(version), expiresAt = tonumber(expiresAt), touchedAt = tonumber(touchedAt),
    user = user, rest = rest,
  }
end

local function isLive(session)
  return session and session.expiresAt > now
end

local function toId(key)
  return string.sub(key, #sessions + 1)
end

-- Adds a session to its user's set, and removes a few ids of sessions that are gone.
local function enlist(user, key, touchedAt, ttl)
  local set = users .. user
  redis.call("ZADD", set, touchedAt, toId(key))
  for _, id in ipairs(redis.call("ZRANGE", set, 0, 9)) do
    if redis.call("EXISTS", sessions .. id) == 0 and sessions .. id ~= key then
      redis.call("ZREM", set, id)
    end
  end
  if redis.call("PTTL", set) < tonumber(ttl) then redis.call("PEXPIRE", set, ttl) end
end

local function delist(user, key)
  if user ~= "null" then redis.call("ZREM", users .. user, toId(key)) end
end

-- Tells subscribers that the session under the key has ended. Must not fail if the server does not
-- let this user publish: other processes then notice within seconds, by reading the session again.
local function announce(key)
  redis.pcall("PUBLISH", ARGV[3] .. "ends", toId(key))
end

local function remove(key, session)
  redis.call("UNLINK", key)
  if session then delist(session.user, key) end
end

-- Stores a text for ttl milliseconds, replacing the session under the key.
local function put(key, old, touchedAt, ttl, user, text)
  if ttl == "0" then return remove(key, old) end
  local isListed = old and old.user == user and old.touchedAt == tonumber(touchedAt)
  if user ~= "null" and not isListed then enlist(user, key, touchedAt, ttl) end
  redis.call("SET", key, text, "PX", ttl)
  if old and old.user ~= user then delist(old.user, key) end
end
`;

/**
 * KEYS[1]: the session. ARGV[4] to [7]: touchedAt, ttl, user, text. Returns 0 if the id is taken.
 */
export const CREATE = new Script(String.raw`
local old = find(KEYS[1])
if isLive(old) then return 0 end
put(KEYS[1], old, ARGV[4], ARGV[5], ARGV[6], ARGV[7])
return 1
`);

/**
 * Like CREATE, with ARGV[8]: the version to replace. Returns 0 if another version, or none, is
 * there.
 */
export const REPLACE = new Script(String.raw`
local old = find(KEYS[1])
if not isLive(old) or old.version ~= tonumber(ARGV[8]) then return 0 end
put(KEYS[1], old, ARGV[4], ARGV[5], ARGV[6], ARGV[7])
return 1
`);

/**
 * REPLACE for the most common case, where only the contents change, at half the cost for the
 * server. KEYS[1]: the session. ARGV[2] to [4]: the head of the text to replace, the new text, the
 * version to replace. Returns 0 if another version is there, -1 for anything else.
 */
export const UPDATE = new Script(
  String.raw`
local head = redis.pcall("GETRANGE", KEYS[1], 0, #ARGV[2] - 1)
if head ~= ARGV[2] then
  local version = type(head) == "string" and string.match(head, "^%[(%d+),")
  return version and tonumber(version) ~= tonumber(ARGV[4]) and 0 or -1
end
redis.call("SET", KEYS[1], ARGV[3], "KEEPTTL")
return 1
`,
  "",
);

/**
 * Like REPLACE, with KEYS[2]: the session under its new id. ARGV[9] and [10]: the note's text and
 * ttl. Returns 0 also if the new id is taken.
 */
export const ROTATE = new Script(String.raw`
local old, taken = find(KEYS[1]), find(KEYS[2])
if not isLive(old) or old.version ~= tonumber(ARGV[8]) or isLive(taken) then return 0 end
put(KEYS[2], taken, ARGV[4], ARGV[5], ARGV[6], ARGV[7])
remove(KEYS[1], old)
redis.call("SET", KEYS[1], ARGV[9], "PX", ARGV[10])
announce(KEYS[1])
return 1
`);

/** KEYS[1]: the session. ARGV[4] and [5]: expiresAt, ttl. Returns 0 if there is nothing to touch. */
export const TOUCH = new Script(String.raw`
local old = find(KEYS[1])
if not isLive(old) or not old.rest then return 0 end
local head = string.format("[%.0f,%s,%s,", old.version + 1, ARGV[4], ARGV[2])
local text = redis.call("GET", KEYS[1])
put(KEYS[1], old, ARGV[2], ARGV[5], old.user, head .. string.sub(text, old.rest))
return 1
`);

/** KEYS[1]: the session or note. Returns the id that a note names. */
export const DELETE = new Script(String.raw`
local old = find(KEYS[1])
remove(KEYS[1], old)
announce(KEYS[1])
return old and old.by
`);

/**
 * KEYS[1]: the user's set. ARGV[4] to [6]: the user, the id to keep, the maximum number of ids to
 * visit. Returns the number of ids removed from the set, then the ids of the sessions removed.
 */
export const DELETE_ALL = new Script(String.raw`
local answer = { 0 }
for _, id in ipairs(redis.call("ZRANGE", KEYS[1], 0, tonumber(ARGV[6]))) do
  if id ~= ARGV[5] and #answer <= tonumber(ARGV[6]) then
    local key = sessions .. id
    local session = find(key)
    if session and session.user == ARGV[4] then
      remove(key, session)
      announce(key)
      answer[#answer + 1] = id
    else
      redis.call("ZREM", KEYS[1], id)
    end
    answer[1] = answer[1] + 1
  end
end
return answer
`);
