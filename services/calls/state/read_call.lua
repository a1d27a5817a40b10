--[[
Reads a call and the time of the Redis server, to which the call's times refer.

KEYS[1] the call: hash

Returns { now in ms, fields and values, alternating }; no fields if there is no such call
]]
local clock = redis.call("TIME")
return { clock[1] * 1000 + math.floor(clock[2] / 1000), redis.call("HGETALL", KEYS[1]) }
