--[[
Tells a server its name, so that its time of recovery begins before the first call comes.

KEYS[1] the server that the leases were taken on: its run_id, and while it recovers also "/" and until when, ms

ARGV[1] run_id of this server
ARGV[2] recovery, ms

Returns the ms of recovery that are left
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
