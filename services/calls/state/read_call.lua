--[[
Reads a call and the time by which its moments are to be judged.

KEYS[1] the call: hash

Returns { now in ms, fields and values in turn }; no fields: the call is not known
]]
local clock = redis.call("TIME")
return { clock[1] * 1000 + math.floor(clock[2] / 1000), redis.call("HGETALL", KEYS[1]) }
