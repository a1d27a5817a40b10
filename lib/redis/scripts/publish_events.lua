--[[
Appends events to the stream of all and to the stream of each one's business, under one id, so that a place in either
is a place in both.

KEYS[1]    stream of all
KEYS[1+n]  stream of the n-th event's business

ARGV[1]    most entries in the stream of all
ARGV[2]    most entries in the stream of a business
ARGV[3]    ms after its last event for which the stream of a business is kept
ARGV[3+n]  the n-th event, JSON

Returns the id of the last event
]]
local id
for n = 2, #KEYS do
  id = redis.call("XADD", KEYS[1], "MAXLEN", "~", ARGV[1], "*", "event", ARGV[n + 2])
  redis.call("XADD", KEYS[n], "MAXLEN", "~", ARGV[2], id, "event", ARGV[n + 2])
  redis.call("PEXPIRE", KEYS[n], ARGV[3])
end
return id
