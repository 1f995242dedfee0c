-- Stores a persisted document, and drops those used longest ago beyond the limits.
--
-- KEYS[1]  the document's key
-- KEYS[2]  the index: a sorted set of digests by the second they were last used; documents live at <index>:<digest>
-- KEYS[3]  the sizes: a hash of digest -> bytes, with the total of all under "total"
-- ARGV[1]  the text
-- ARGV[2]  seconds it lives after it was last used
-- ARGV[3]  how many documents there may be
-- ARGV[4]  how many bytes they may have together
-- ARGV[5]  the digest
local document, index, sizes = KEYS[1], KEYS[2], KEYS[3]
local text, lifetime, max_documents, max_bytes, digest = ARGV[1], ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4]), ARGV[5]
local now = tonumber(redis.call('TIME')[1])

local function drop(dropped)
  redis.call('ZREM', index, dropped)
  redis.call('DEL', index .. ':' .. dropped)
  local size = redis.call('HGET', sizes, dropped)
  if size then
    redis.call('HINCRBY', sizes, 'total', '-' .. size)
    redis.call('HDEL', sizes, dropped)
  end
end

-- Without the index, which Redis may have evicted, nothing is known of the documents before.
if redis.call('EXISTS', index) == 0 then redis.call('DEL', sizes) end
for _, expired in ipairs(redis.call('ZRANGEBYSCORE', index, '-inf', now - lifetime)) do drop(expired) end
drop(digest)
redis.call('SET', document, text, 'EX', lifetime)
redis.call('ZADD', index, now, digest)
redis.call('HSET', sizes, digest, #text)
redis.call('HINCRBY', sizes, 'total', #text)
while redis.call('ZCARD', index) > max_documents or tonumber(redis.call('HGET', sizes, 'total')) > max_bytes do
  local oldest = redis.call('ZRANGE', index, 0, 0)[1]
  if not oldest then break end
  drop(oldest)
end
redis.call('EXPIRE', index, lifetime)
redis.call('EXPIRE', sizes, lifetime)
return 1
