--[[
Changes a call if it still has the version that the change is based on.

KEYS[1] the call: hash
KEYS[2] calls whose end is not in Postgres yet: sorted set, call -> time of its last change, ms
KEYS[3] calls of the business in progress: sorted set, call -> start time, ms

ARGV[1] call
ARGV[2] the version
ARGV[3] lifetime of the call after this change, ms
ARGV[4] "1" if this change ends the call
ARGV[5...] fields and values, alternating

Returns { 1 if it was changed, now in ms, fields and values, alternating }; no fields if there is no such call
]]
local clock = redis.call("TIME")
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)

local changed = redis.call("HGET", KEYS[1], "version") == ARGV[2]
if changed then
  redis.call("HSET", KEYS[1], "version", ARGV[2] + 1, unpack(ARGV, 5))
  redis.call("PEXPIRE", KEYS[1], ARGV[3])
  if ARGV[4] == "1" then
    -- XX: only if its end is not in Postgres yet.
    redis.call("ZADD", KEYS[2], "XX", now, ARGV[1])
    redis.call("ZREM", KEYS[3], ARGV[1])
  else
    redis.call("ZADD", KEYS[2], now, ARGV[1])
    redis.call("ZADD", KEYS[3], redis.call("HGET", KEYS[1], "started_at"), ARGV[1])
    redis.call("PEXPIRE", KEYS[3], ARGV[3])
  end
end
return { changed and 1 or 0, now, redis.call("HGETALL", KEYS[1]) }
