--[[
Appends events to the stream of all and to the stream of each one's business, under one id, so that a place in either
is a place in both. Trims before it adds: trimming is allowed where Redis is full, adding is not.
KEYS[1]    stream of all
KEYS[2]    tally, a hash: bytes of the stream of all ("all"), of each business's by its id, of those together ("total");
           "horizon": time in ms before which events may be missing from any stream; "gap": events were lost since
           the last one that was added
KEYS[3]    businesses by the time of their last event in ms: sorted set
KEYS[3+n]  stream of the n-th business
ARGV[1]    most entries in the stream of all
ARGV[2]    most bytes in it
ARGV[3]    most entries in the stream of a business
ARGV[4]    most bytes in it
ARGV[5]    most bytes in the streams of all businesses
ARGV[6]    ms for which an event is kept
ARGV[7]    prefix of a business's stream
then       events in order, three arguments each: number of its business in KEYS, id of the business, JSON
Returns the id of the last event
]]
local all, tally, recent = KEYS[1], KEYS[2], KEYS[3]
local maxEntries, maxBytes = tonumber(ARGV[1]), tonumber(ARGV[2])
local maxEntriesOf, maxBytesOf, maxTotal = tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5])
local clock = redis.call("TIME")
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
local oldest = now - tonumber(ARGV[6])
-- Overhead in bytes of an entry and of a stream: Redis allocates a listpack of 4 KB at once.
local perEntry, perStream = 64, 4608
-- Entries that are removed at once: one publish in so many pays for the others.
local chunk = 64

local function bytesIn(field)
  return tonumber(redis.call("HGET", tally, field) or "0")
end
local function timeOf(id)
  return tonumber(string.match(id, "^%d+"))
end
-- Readers that resume from before the horizon receive `reset`.
local function raiseHorizon(time)
  if time > bytesIn("horizon") then
    redis.call("HSET", tally, "horizon", time)
  end
end

-- Removes the oldest entries of a stream until `more` bytes and `added` entries fit; gives the bytes that remain.
local function makeRoom(stream, bytes, more, added, mostEntries, mostBytes)
  local entries = redis.call("XLEN", stream)
  if entries == 0 then
    if bytes > 0 then
      raiseHorizon(oldest)
    end
    return 0
  end
  while entries > 0 do
    local first = redis.call("XRANGE", stream, "-", "+", "COUNT", 1)[1]
    local expired = timeOf(first[1]) < oldest
    if not expired and entries + added <= mostEntries and bytes + more <= mostBytes then
      return math.max(0, bytes)
    end
    local removed = redis.call("XRANGE", stream, "-", "+", "COUNT", chunk)
    for _, entry in ipairs(removed) do
      bytes = bytes - #entry[2][2] - perEntry
    end
    entries = entries - redis.call("XTRIM", stream, "MAXLEN", math.max(0, entries - #removed))
  end
  return 0
end

-- Drops the stream of the business that was active the longest ago; gives the bytes that remain.
local function dropLeastRecent(total)
  local last = redis.call("ZRANGE", recent, 0, 0, "WITHSCORES")
  redis.call("DEL", ARGV[7] .. last[1])
  redis.call("ZREM", recent, last[1])
  total = total - bytesIn(last[1])
  redis.call("HDEL", tally, last[1])
  raiseHorizon(last[2] + 1)
  return math.max(0, total)
end

local added, bytesOf, idOf, addedAll, moreAll = {}, {}, {}, 0, 0
for n = 8, #ARGV, 3 do
  local b, size = tonumber(ARGV[n]), #ARGV[n + 2] + perEntry
  idOf[b] = ARGV[n + 1]
  added[b] = (added[b] or 0) + 1
  bytesOf[b] = (bytesOf[b] or 0) + size
  addedAll, moreAll = addedAll + 1, moreAll + size
end

-- A Redis that was emptied knows nothing of what came before.
if not redis.call("HGET", tally, "horizon") then
  raiseHorizon(now)
end
local total = bytesIn("total")
for b, id in pairs(idOf) do
  local known = bytesIn(id)
  local left = makeRoom(KEYS[3 + b], math.max(0, known - perStream), bytesOf[b], added[b], maxEntriesOf, maxBytesOf)
  local bytes = left + bytesOf[b] + perStream
  total = total + bytes - known
  bytesOf[b] = bytes
end
-- A stream that receives an event now is not dropped: it is the most recent below.
local stale = redis.call("ZRANGE", recent, 0, 0, "WITHSCORES")
local spared = {}
for _, id in pairs(idOf) do
  spared[id] = true
end
while stale[1] and not spared[stale[1]] and (total > maxTotal or tonumber(stale[2]) < oldest) do
  total = dropLeastRecent(total)
  stale = redis.call("ZRANGE", recent, 0, 0, "WITHSCORES")
end
local left = makeRoom(all, bytesIn("all"), moreAll, addedAll, maxEntries, maxBytes)

if redis.call("HDEL", tally, "gap") == 1 then
  redis.call("XADD", all, "*", "gap", "1")
end
local id
for n = 8, #ARGV, 3 do
  id = redis.call("XADD", all, "*", "event", ARGV[n + 2])
  redis.call("XADD", KEYS[3 + ARGV[n]], id, "event", ARGV[n + 2])
end
redis.call("HSET", tally, "all", left + moreAll, "total", total)
redis.call("PEXPIRE", all, ARGV[6])
for b, business in pairs(idOf) do
  redis.call("HSET", tally, business, bytesOf[b])
  redis.call("ZADD", recent, now, business)
  redis.call("PEXPIRE", KEYS[3 + b], ARGV[6])
end
-- They outlive every stream, whose bytes they know.
redis.call("PEXPIRE", tally, 2 * ARGV[6])
redis.call("PEXPIRE", recent, 2 * ARGV[6])
return id
