--[[
Grants as many of the requests as every one of several sliding windows still allows.

A sliding window covers the current fixed window and a part of the one before. That part is counted as if its
requests had come evenly. Each window costs two numbers, whatever its limit, and never exceeds the limit if the
requests did come evenly.

KEYS[i] a window, such as a caller's or its group's: hash of start (ms), current and before (requests)

ARGV[1]     requests to count
ARGV[2]     length of the windows, ms
ARGV[2 + i] limit of KEYS[i]

Returns { granted, remaining, ms until the whole limit is free again, i of the fullest window }
]]
local asked, length = tonumber(ARGV[1]), tonumber(ARGV[2])
local clock = redis.call("TIME")
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
local start = now - now % length
local covered = 1 - (now - start) / length

local windows, free, fullest = {}, math.huge, 1
for i, key in ipairs(KEYS) do
  local stored = redis.call("HMGET", key, "start", "current", "before")
  local current, before = tonumber(stored[2]) or 0, tonumber(stored[3]) or 0
  local last = tonumber(stored[1]) or 0
  if last ~= start then
    before = last == start - length and current or 0
    current = 0
  end
  windows[i] = { current = current, before = before, new = last ~= start }
  local left = math.max(0, math.floor(tonumber(ARGV[2 + i]) - current - before * covered))
  if left < free then
    free, fullest = left, i
  end
end

local granted = math.min(asked, free)
for i, key in ipairs(KEYS) do
  local window = windows[i]
  window.current = window.current + granted
  if window.new then
    redis.call("HSET", key, "start", string.format("%d", start), "current", window.current, "before", window.before)
    redis.call("PEXPIRE", key, 2 * length)
  elseif granted > 0 then
    redis.call("HINCRBY", key, "current", granted)
  end
end

local reset = start + length - now
if windows[fullest].current > 0 then
  reset = reset + length
end
return { granted, free - granted, reset, fullest }
