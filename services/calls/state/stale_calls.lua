--[[
Lists calls whose end is not in Postgres yet and that have not changed for some time, oldest change first.

KEYS[1] calls whose end is not in Postgres yet: sorted set, call -> time of its last change, ms

ARGV[1] minimum time without a change, ms
ARGV[2] maximum number of calls

Returns calls and the times of their last changes in ms, alternating
]]
local clock = redis.call("TIME")
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
return redis.call("ZRANGEBYSCORE", KEYS[1], "-inf", now - ARGV[1], "WITHSCORES", "LIMIT", 0, ARGV[2])
