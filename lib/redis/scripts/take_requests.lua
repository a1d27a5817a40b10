--[[
Takes as many of some requests as a sliding window still allows.

The window slides over two fixed ones: of the one before, the part that it still covers is counted, as if its
requests had come evenly. Two numbers a caller, whatever the limit, and never more than the limit in one window if
they did come evenly.

KEYS[1] the caller's window: hash of start (ms), current and before (requests)

ARGV[1] requests asked for
ARGV[2] limit
ARGV[3] window, ms

Returns { granted, remaining, ms until the whole limit is free again }
]]
local asked, limit, window = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local clock = redis.call("TIME")
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
local start = now - now % window

local stored = redis.call("HMGET", KEYS[1], "start", "current", "before")
local current, before = tonumber(stored[2]) or 0, tonumber(stored[3]) or 0
local last = tonumber(stored[1]) or 0
if last ~= start then
  before = last == start - window and current or 0
  current = 0
end

local covered = 1 - (now - start) / window
local free = math.max(0, math.floor(limit - current - before * covered))
local granted = math.min(asked, free)
current = current + granted
redis.call("HSET", KEYS[1], "start", string.format("%d", start), "current", current, "before", before)
redis.call("PEXPIRE", KEYS[1], 2 * window)

local reset = start + window - now
if current > 0 then
  reset = reset + window
end
return { granted, free - granted, reset }
