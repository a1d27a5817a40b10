--[[
Takes a slot for a call, or renews the call's slot. Idempotent by call.

KEYS[1] leases of all calls: sorted set, call -> expiry of its lease, ms
KEYS[2] the server that holds the leases: its run_id, followed by "/" and the end of its recovery in ms, if it recovers
KEYS[3] leases of the business's calls, as KEYS[1]; only if the business has a limit

ARGV[1] call
ARGV[2] lease, ms
ARGV[3] limit over all businesses
ARGV[4] run_id of this server, as the caller's connection read it
ARGV[5] limit of the business; "" or omitted for none
ARGV[6] "1" for a call that is being carried and whose lease may have been lost
ARGV[7] reservation whose slot passes to the call; "" or omitted for none

Returns { outcome, now in ms }
outcome: 2 renewed, 1 admitted, 0 full, -1 the business is full, -2 recovering, -3 the server is not announced yet
]]
local clock = redis.call("TIME")
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
-- Formatted as integers: Redis would print a Lua number as a double with 17 digits, which costs more than the command.
local expired = string.format("%d", now)
local expiry = string.format("%d", now + ARGV[2])
local limit = tonumber(ARGV[5])

redis.call("ZREMRANGEBYSCORE", KEYS[1], "-inf", expired)
local held = redis.call("ZRANK", KEYS[1], ARGV[1])
if ARGV[7] and ARGV[7] ~= "" then
  held = redis.call("ZREM", KEYS[1], ARGV[7]) == 1 or held
  if limit then
    redis.call("ZREM", KEYS[3], ARGV[7])
  end
end

if not held then
  -- A server that restarted or was promoted may have lost leases. Its count is too low until every replica has had time
  -- to admit its carried calls again.
  local recovering = false
  local server = redis.call("GET", KEYS[2])
  if server ~= ARGV[4] then
    local runId, openAt = string.match(server or "", "^(%x+)/(%d+)$")
    if runId ~= ARGV[4] then
      return { -3, now }
    end
    recovering = now < tonumber(openAt)
    if not recovering then
      redis.call("SET", KEYS[2], ARGV[4])
    end
  end

  if recovering then
    -- A carried call was admitted before, so it has passed the limit already.
    if ARGV[6] ~= "1" then
      return { -2, now }
    end
  else
    if redis.call("ZCARD", KEYS[1]) >= tonumber(ARGV[3]) then
      return { 0, now }
    end
    if limit then
      redis.call("ZREMRANGEBYSCORE", KEYS[3], "-inf", expired)
      if redis.call("ZCARD", KEYS[3]) >= limit then
        return { -1, now }
      end
    end
  end
end

redis.call("ZADD", KEYS[1], expiry, ARGV[1])
if limit then
  redis.call("ZADD", KEYS[3], expiry, ARGV[1])
  redis.call("PEXPIRE", KEYS[3], ARGV[2])
end
return { held and 2 or 1, now }
