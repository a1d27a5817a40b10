--[[
Changes a call, if it is still the version that the change was made from.

KEYS[1] the call: hash
KEYS[2] calls whose end is not in Postgres yet: sorted set, call -> when it was last heard of, ms
KEYS[3] calls of the business in progress: sorted set, call -> when it began, ms

ARGV[1] call
ARGV[2] the version
ARGV[3] how long the call is kept after this change, ms
ARGV[4] "1" where it is over with this change
ARGV[5...] fields and values in turn

Returns { 1 if it was changed, now in ms, fields and values in turn }; no fields: the call is not known
]]
local clock = redis.call("TIME")
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)

local changed = redis.call("HGET", KEYS[1], "version") == ARGV[2]
if changed then
  redis.call("HSET", KEYS[1], "version", ARGV[2] + 1, unpack(ARGV, 5))
  redis.call("PEXPIRE", KEYS[1], ARGV[3])
  if ARGV[4] == "1" then
    -- Only if its end is not written yet.
    redis.call("ZADD", KEYS[2], "XX", now, ARGV[1])
    redis.call("ZREM", KEYS[3], ARGV[1])
  else
    redis.call("ZADD", KEYS[2], now, ARGV[1])
    redis.call("ZADD", KEYS[3], redis.call("HGET", KEYS[1], "started_at"), ARGV[1])
    redis.call("PEXPIRE", KEYS[3], ARGV[3])
  end
end
return { changed and 1 or 0, now, redis.call("HGETALL", KEYS[1]) }
