--[[
Stores a call if it is new. An existing call stays as it is.

KEYS[1] the call: hash
KEYS[2] calls whose end is not in Postgres yet: sorted set, call -> time of its last change, ms
KEYS[3] calls of the business in progress: sorted set, call -> start time, ms

ARGV[1] call
ARGV[2] lifetime of the call after its last change, ms
ARGV[3...] fields and values, alternating

Returns { 1 if it was new, now in ms, fields and values, alternating }
]]
local clock = redis.call("TIME")
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)

local new = redis.call("EXISTS", KEYS[1]) == 0
if new then
  redis.call("HSET", KEYS[1], "version", 1, unpack(ARGV, 3))
  redis.call("PEXPIRE", KEYS[1], ARGV[2])
  redis.call("ZADD", KEYS[2], now, ARGV[1])
  redis.call("ZADD", KEYS[3], redis.call("HGET", KEYS[1], "started_at"), ARGV[1])
  redis.call("PEXPIRE", KEYS[3], ARGV[2])
end
return { new and 1 or 0, now, redis.call("HGETALL", KEYS[1]) }
