--[[
Releases a call's slot.

KEYS[1] leases of all calls
KEYS[2] leases of the business's calls

ARGV[1] call

Returns 1 if it had a slot, else 0
]]
redis.call("ZREM", KEYS[2], ARGV[1])
return redis.call("ZREM", KEYS[1], ARGV[1])
