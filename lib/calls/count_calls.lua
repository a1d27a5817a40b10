--[[
Counts the calls that hold a lease.

KEYS[1] leases: sorted set, call -> expiry of its lease, ms

Returns the count
]]
local clock = redis.call("TIME")
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
return redis.call("ZCOUNT", KEYS[1], "(" .. now, "+inf")
