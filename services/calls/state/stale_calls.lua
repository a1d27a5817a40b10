--[[
Lists calls whose end is not in Postgres yet and that have not been heard of for some time, the longest silent first.

KEYS[1] calls whose end is not in Postgres yet: sorted set, call -> when it was last heard of, ms

ARGV[1] the time, ms
ARGV[2] how many at most

Returns calls and when each was last heard of, ms, in turn
]]
local clock = redis.call("TIME")
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
return redis.call("ZRANGEBYSCORE", KEYS[1], "-inf", now - ARGV[1], "WITHSCORES", "LIMIT", 0, ARGV[2])
