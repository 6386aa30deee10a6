import type { RedisLike } from "./connection.ts";
import { isReply } from "./errors.ts";
import { HEAD_BYTES } from "./record.ts";

/** A Lua script, which Redis runs as one step. */
export class Script {
  readonly #text: string;
  readonly #hash: string;

  /** The body may call what `prelude` defines. It never runs late, see {@link IN_TIME}. */
  constructor(body: string, prelude = COMMON) {
    this.#text = IN_TIME + prelude + body;
    this.#hash = Bun.SHA1.hash(this.#text, "hex");
  }

  /** Runs the script by its hash; where the server does not know it, after a restart, by its text. */
  run(redis: RedisLike, keys: readonly string[], args: readonly string[]): Promise<unknown> {
    const rest = [String(keys.length), ...keys, ...args];
    return redis.send("EVALSHA", [this.#hash, ...rest]).catch((error: unknown) => {
      if (!isReply(error, "NOSCRIPT")) throw error;
      return redis.send("EVAL", [this.#text, ...rest]);
    });
  }
}

/** Nothing is done once the server's clock shows more than ARGV[1]. */
const IN_TIME = String.raw`
local time = redis.call("TIME")
if time[1] * 1000 + time[2] / 1000 > tonumber(ARGV[1]) then
  return redis.error_reply("LATE It reached the server too late, and was not carried out.")
end
`;

/**
 * What the scripts have in common. A session is a text under a key of its own (record.ts), and so is the
 * note that a rotation leaves. A user has a sorted set: the ids of the sessions, by when they were
 * touched.
 *
 * What has expired is for the app's clock to say, and that shows ARGV[2]. All keys begin with ARGV[3].
 *
 * Redis undoes nothing when a script fails on its way. So what may be refused, for want of memory for
 * instance, comes first, and is nothing but an id too many in a set.
 */
const COMMON = String.raw`
local now, sessions, users = tonumber(ARGV[2]), ARGV[3] .. "session:", ARGV[3] .. "user:"

-- The session or the note under a key, expired or not, by the first bytes of its text. A session that
-- cannot be read has the version 0, and a note has the version -1.
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

local function idOf(key)
  return string.sub(key, #sessions + 1)
end

-- Adds a session to its user's set, and takes out a few that are gone.
local function enlist(user, key, touchedAt, ttl)
  local set = users .. user
  redis.call("ZADD", set, touchedAt, idOf(key))
  for _, id in ipairs(redis.call("ZRANGE", set, 0, 9)) do
    if redis.call("EXISTS", sessions .. id) == 0 and sessions .. id ~= key then
      redis.call("ZREM", set, id)
    end
  end
  if redis.call("PTTL", set) < tonumber(ttl) then redis.call("PEXPIRE", set, ttl) end
end

local function delist(user, key)
  if user ~= "null" then redis.call("ZREM", users .. user, idOf(key)) end
end

-- Tells who listens that there is no session under the key any more. Must not fail where the server does not
-- let this user publish: then the others read the session again, as they do every few seconds.
local function announce(key)
  redis.pcall("PUBLISH", ARGV[3] .. "ends", idOf(key))
end

local function remove(key, session)
  redis.call("UNLINK", key)
  if session then delist(session.user, key) end
end

-- Keeps a text for ttl milliseconds, in the place of the session that was under the key.
local function put(key, old, touchedAt, ttl, user, text)
  if ttl == "0" then return remove(key, old) end
  local isListed = old and old.user == user and old.touchedAt == tonumber(touchedAt)
  if user ~= "null" and not isListed then enlist(user, key, touchedAt, ttl) end
  redis.call("SET", key, text, "PX", ttl)
  if old and old.user ~= user then delist(old.user, key) end
end
`;

/** KEYS[1]: the session. ARGV[4] to [7]: touchedAt, ttl, user, text. Returns 0 if the id is taken. */
export const CREATE = new Script(String.raw`
local old = find(KEYS[1])
if isLive(old) then return 0 end
put(KEYS[1], old, ARGV[4], ARGV[5], ARGV[6], ARGV[7])
return 1
`);

/** As CREATE, and ARGV[8]: the version. Returns 0 if that is not what is there. */
export const REPLACE = new Script(String.raw`
local old = find(KEYS[1])
if not isLive(old) or old.version ~= tonumber(ARGV[8]) then return 0 end
put(KEYS[1], old, ARGV[4], ARGV[5], ARGV[6], ARGV[7])
return 1
`);

/**
 * REPLACE where nothing but the contents changes, which is most of the time: half the work for the
 * server. KEYS[1]: the session. ARGV[2] to [4]: the head of the text that is to be replaced, the text, the
 * version to be replaced. Returns 0 if another version is there, -1 if something else is.
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
 * As REPLACE, and KEYS[2]: the session under its new id. ARGV[9] and [10]: the note's text and ttl.
 * Returns 0 if the new id is taken, too.
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

/** KEYS[1]: the session or the note. Returns the id that a note names. */
export const DELETE = new Script(String.raw`
local old = find(KEYS[1])
remove(KEYS[1], old)
announce(KEYS[1])
return old and old.by
`);

/**
 * KEYS[1]: the user's set. ARGV[4] to [6]: the user, the id to keep, the most ids to look at. Returns how
 * many ids it took out of the set, and then those of the sessions that it removed.
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
