--[[
Announces a server by its run_id, so that its recovery period starts before the first call arrives.

KEYS[1] the server that holds the leases: its run_id, followed by "/" and the end of its recovery in ms, if it recovers

ARGV[1] run_id of this server
ARGV[2] recovery period, ms

Returns the ms that remain of the recovery period
]]
local clock = redis.call("TIME")
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)

local server = redis.call("GET", KEYS[1])
if server == ARGV[1] then
  return 0
end
local runId, openAt = string.match(server or "", "^(%x+)/(%d+)$")
if runId ~= ARGV[1] then
  openAt = now + ARGV[2]
  redis.call("SET", KEYS[1], ARGV[1] .. "/" .. string.format("%d", openAt))
end
return math.max(0, tonumber(openAt) - now)
