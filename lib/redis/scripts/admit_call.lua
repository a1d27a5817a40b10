--[[
Takes a slot for a call, or renews the slot it has. Idempotent by call.

KEYS[1] leases of all calls: sorted set, call -> when its lease runs out, ms
KEYS[2] leases of the business's calls, the same; kept only where the business has a limit
KEYS[3] the server that the leases were taken on: its run_id, and while it recovers also "/" and until when, ms

ARGV[1] call
ARGV[2] lease, ms
ARGV[3] limit over all businesses
ARGV[4] limit of the business; -1 for none
ARGV[5] run_id of this server, as the caller's connection learned it
ARGV[6] recovery, ms: how long a server that has just started admits nobody new
ARGV[7] 1 for a call that is carried already and whose lease may have been lost
ARGV[8] reservation whose slot passes to the call; "" for none

Returns { outcome, now in ms }
outcome: 2 renewed, 1 admitted, 0 full, -1 the business is full, -2 recovering
]]
local businessLimit = tonumber(ARGV[4])
local clock = redis.call("TIME")
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)

-- A server that restarted or took over may have forgotten leases. Until every replica had time to bring back the
-- calls it carries, a count from it would be too low.
local recovering = false
local server = redis.call("GET", KEYS[3])
if server ~= ARGV[5] then
  local runId, openAt = string.match(server or "", "^(%x+)/(%d+)$")
  if runId ~= ARGV[5] then
    openAt = now + ARGV[6]
    redis.call("SET", KEYS[3], ARGV[5] .. "/" .. string.format("%d", openAt))
  end
  recovering = now < tonumber(openAt)
  if not recovering then
    redis.call("SET", KEYS[3], ARGV[5])
  end
end

local expiry = redis.call("ZSCORE", KEYS[1], ARGV[1])
local held = expiry and tonumber(expiry) > now
if ARGV[8] ~= "" then
  expiry = redis.call("ZSCORE", KEYS[1], ARGV[8])
  held = held or (expiry and tonumber(expiry) > now)
  redis.call("ZREM", KEYS[1], ARGV[8])
  redis.call("ZREM", KEYS[2], ARGV[8])
end

if not held then
  redis.call("ZREMRANGEBYSCORE", KEYS[1], "-inf", now)
  if recovering then
    -- A call that is carried was admitted once, so the limit has been applied to it.
    if ARGV[7] ~= "1" then
      return { -2, now }
    end
  else
    if redis.call("ZCARD", KEYS[1]) >= tonumber(ARGV[3]) then
      return { 0, now }
    end
    if businessLimit >= 0 then
      redis.call("ZREMRANGEBYSCORE", KEYS[2], "-inf", now)
      if redis.call("ZCARD", KEYS[2]) >= businessLimit then
        return { -1, now }
      end
    end
  end
end

redis.call("ZADD", KEYS[1], now + ARGV[2], ARGV[1])
if businessLimit >= 0 then
  redis.call("ZADD", KEYS[2], now + ARGV[2], ARGV[1])
  redis.call("PEXPIRE", KEYS[2], ARGV[2])
end
return { held and 2 or 1, now }
