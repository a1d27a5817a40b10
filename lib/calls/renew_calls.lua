--[[
Renews the leases of calls that are being carried. A lease that expired or was lost is not restored, because another
call may have its slot; the call must be admitted again. The leases of a business are written even if it has no limit,
so that a limit set later counts the calls in progress.

KEYS[1]     leases of all calls: sorted set, call -> expiry of its lease, ms
KEYS[1 + i] leases of the calls of call i's business, as KEYS[1]

ARGV[1]     lease, ms
ARGV[1 + i] call i

Returns the calls without a lease
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
