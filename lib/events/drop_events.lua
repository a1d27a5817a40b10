--[[
Drops every stream of events, and notes that events were lost. Each write is allowed where Redis is full.
KEYS[1]  stream of all
KEYS[2]  tally, as in publish_events.lua
KEYS[3]  businesses by the time of their last event: sorted set
ARGV[1]  prefix of a business's stream
ARGV[2]  ms for which the note is kept
Returns the number of streams that were dropped
]]
local clock = redis.call("TIME")
local businesses = redis.call("ZRANGE", KEYS[3], 0, -1)
for _, business in ipairs(businesses) do
  redis.call("UNLINK", ARGV[1] .. business)
end
redis.call("UNLINK", KEYS[1], KEYS[2], KEYS[3])
local horizon = clock[1] * 1000 + math.floor(clock[2] / 1000) + 1
redis.call("HSET", KEYS[2], "gap", "1", "horizon", string.format("%d", horizon))
redis.call("PEXPIRE", KEYS[2], ARGV[2])
return #businesses
