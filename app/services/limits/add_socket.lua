-- Register a socket of a user, and drop the oldest beyond the limit.
--
-- KEYS[1] sorted set: socket id -> time of opening
-- ARGV[1] socket id   ARGV[2] now, in seconds   ARGV[3] maximum sockets   ARGV[4] lifetime of an entry, in seconds
--
-- Entries older than the lifetime are removed: their instances ended without removing them.
-- Returns the ids that were dropped, oldest first.
local sockets, now, max_sockets, lifetime = KEYS[1], tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
redis.call('ZREMRANGEBYSCORE', sockets, '-inf', now - lifetime)
redis.call('ZADD', sockets, now, ARGV[1])
redis.call('EXPIRE', sockets, lifetime)
local excess = redis.call('ZCARD', sockets) - max_sockets
if excess <= 0 then return {} end
local oldest = redis.call('ZRANGE', sockets, 0, excess - 1)
redis.call('ZREMRANGEBYRANK', sockets, 0, excess - 1)
return oldest
