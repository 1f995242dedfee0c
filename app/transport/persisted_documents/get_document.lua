-- Returns the text of a persisted document, or nil, and marks it as used now.
--
-- KEYS[1]  the document's key
-- KEYS[2]  the index: a sorted set of digests by the second they were last used
-- KEYS[3]  the sizes
-- ARGV[1]  seconds it lives after it was last used
-- ARGV[2]  the digest
local text = redis.call('GET', KEYS[1])
if text then
  redis.call('EXPIRE', KEYS[1], ARGV[1])
  redis.call('ZADD', KEYS[2], 'XX', tonumber(redis.call('TIME')[1]), ARGV[2])
  redis.call('EXPIRE', KEYS[2], ARGV[1])
  redis.call('EXPIRE', KEYS[3], ARGV[1])
end
return text
