--[[
Lists calls whose end is not in Postgres yet and that have not changed for some time.

KEYS[1] calls whose end is not in Postgres yet: sorted set, call -> time of its last change, ms

ARGV[1] minimum time without a change, ms
ARGV[2] maximum number of calls
ARGV[3] "oldest" or "newest": the order by their last change

Returns calls and the times of their last changes in ms, alternating
]]
local clock = redis.call("TIME")
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
local latest = now - ARGV[1]
if ARGV[3] == "newest" then
  return redis.call("ZREVRANGEBYSCORE", KEYS[1], latest, "-inf", "WITHSCORES", "LIMIT", 0, ARGV[2])
end
return redis.call("ZRANGEBYSCORE", KEYS[1], "-inf", latest, "WITHSCORES", "LIMIT", 0, ARGV[2])
