-- Stores a persisted document and drops the oldest ones beyond the cap.
--
-- KEYS[1]  the document's key
-- KEYS[2]  the index: a sorted set of digests by the second they were stored; documents live at <index>:<digest>
-- ARGV[1]  the text
-- ARGV[2]  seconds it lives
-- ARGV[3]  how many documents there may be
-- ARGV[4]  the digest
local now = tonumber(redis.call('TIME')[1])
redis.call('SET', KEYS[1], ARGV[1], 'EX', ARGV[2])
redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', now - ARGV[2])
redis.call('ZADD', KEYS[2], now, ARGV[4])
redis.call('EXPIRE', KEYS[2], ARGV[2])
local excess = redis.call('ZCARD', KEYS[2]) - ARGV[3]
if excess > 0 then
  for _, digest in ipairs(redis.call('ZRANGE', KEYS[2], 0, excess - 1)) do
    redis.call('DEL', KEYS[2] .. ':' .. digest)
  end
  redis.call('ZREMRANGEBYRANK', KEYS[2], 0, excess - 1)
end
return 1
