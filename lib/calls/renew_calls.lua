--[[
Renews the leases of calls that are being carried. A lease that ran out or was forgotten is not brought back here:
its slot may be another's by now, so the call has to ask for one. A business's own leases are written whether it has
a limit or not, so that one it is given counts the calls it has.

KEYS[1]     leases of all calls: sorted set, call -> when its lease runs out, ms
KEYS[1 + i] leases of the calls of call i's business, the same

ARGV[1]     lease, ms
ARGV[1 + i] call i

Returns the calls that have no lease
]]
local clock = redis.call("TIME")
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)

local lost = {}
for i = 2, #ARGV do
  local expiry = redis.call("ZSCORE", KEYS[1], ARGV[i])
  if expiry and tonumber(expiry) > now then
    redis.call("ZADD", KEYS[1], now + ARGV[1], ARGV[i])
    redis.call("ZADD", KEYS[i], now + ARGV[1], ARGV[i])
    redis.call("PEXPIRE", KEYS[i], ARGV[1])
  else
    lost[#lost + 1] = ARGV[i]
  end
end
return lost
