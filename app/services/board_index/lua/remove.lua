-- Remove users from a board.
--
-- KEYS[1] meta   KEYS[2] sorted set   KEYS[3] members   KEYS[4] digests   ARGV window, then user ids
local meta, zset, members, window = KEYS[1], KEYS[2], KEYS[3], ARGV[1]
if not is_whole(redis.call('HGET', meta, 'n:' .. window), zset, members) then return end
local sums = {}
for i = 2, #ARGV do
  local known = redis.call('HGET', members, ARGV[i])
  if known then
    redis.call('ZREM', zset, string.sub(known, 1, 8) .. ARGV[i])
    redis.call('HDEL', members, ARGV[i])
    add_digest(sums, ARGV[i], nil, tonumber(string.sub(known, 9)))
  end
end
store_digests(KEYS[4], sums)
redis.call('HSET', meta, 'n:' .. window, sizes(zset, members))
redis.call('HINCRBY', meta, 'v:' .. window, 1)
