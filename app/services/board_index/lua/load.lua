-- Add rows to a board of an epoch that is being loaded: nobody reads it yet, so nothing is announced or ranked.
--
-- A row is stored unless a newer one of the user is there already, which its writer has put meanwhile. The rows of a call
-- are stored by a few commands with many arguments: a rebuild spends most of its time here.
--
-- KEYS[1] meta, KEYS[2] sorted set, KEYS[3] hash of the users, KEYS[4] hash of the digests
-- ARGV[1] epoch        the epoch that is being loaded
-- ARGV[2] window       the window of the board
-- ARGV[3] expiry       seconds after which the board leaves Redis (0: never)
-- ARGV[4] rows         per row, in 41 bytes: visible (0 or 1), sort key, revision, reached_at and user id (16 bytes);
--                      of one user not more than one row
--
-- Returns 1, or false if the epoch is over.
local meta, zset, members, sums = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local counts = 'n:' .. ARGV[2]
local head = redis.call('HMGET', meta, 'epoch', 'run', counts)
if head[1] ~= ARGV[1] or head[2] ~= this_run() then return false end
if not is_whole(head[3], zset, members) then return false end

-- Locals and revisions that are formatted once: each row costs a quarter less.
local sub, unpack_row, rows, width = string.sub, struct.unpack, ARGV[4], 41
local users, texts = {}, {}
for at = 26, #rows, width do users[#users + 1] = sub(rows, at, at + 15) end
local known = redis.call('HMGET', members, unpack(users))
local states, order, removed, changes = {}, {}, {}, {}
for i, user in ipairs(users) do
  local visible, sort_key, revision, reached = unpack_row('>Bi8I8c8', rows, (i - 1) * width + 1)
  local previous = known[i] and tonumber(sub(known[i], 9))
  if not previous or previous < revision then
    texts[revision] = texts[revision] or string.format('%.0f', revision)
    states[#states + 1] = user
    states[#states + 1] = reached .. texts[revision]
    if previous then removed[#removed + 1] = sub(known[i], 1, 8) .. user end
    if visible == 1 then
      order[#order + 1] = sort_key
      order[#order + 1] = reached .. user
    end
    add_digest(changes, user, revision, previous)
  end
end
if #states > 0 then
  -- First, because a Redis without memory refuses this command, but not ZREM.
  redis.call('HSET', members, unpack(states))
  if #removed > 0 then redis.call('ZREM', zset, unpack(removed)) end
  if #order > 0 then redis.call('ZADD', zset, unpack(order)) end
  local buckets, updates = {}, {}
  for bucket in pairs(changes) do buckets[#buckets + 1] = bucket end
  local before = redis.call('HMGET', sums, unpack(buckets))
  for i, bucket in ipairs(buckets) do
    updates[2 * i - 1] = bucket
    updates[2 * i] = string.format('%.0f', (tonumber(before[i]) or 0) + changes[bucket])
  end
  redis.call('HSET', sums, unpack(updates))
  redis.call('HSET', meta, counts, sizes(zset, members))
  local expiry = tonumber(ARGV[3])
  if expiry > 0 then
    for key = 2, 4 do redis.call('EXPIRE', KEYS[key], expiry) end
  end
end
return 1
