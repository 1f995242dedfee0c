-- Read one shard of a board: the rows around any number of positions, and what is needed to merge them with the rows of
-- the other shards.
--
-- KEYS[1] meta   KEYS[2] sorted set   KEYS[3] members     (layout: put.lua)
-- ARGV[1] window, then requests:
--   "user"    user      ""     ""      the row of a user: { member, sort key }, or {}
--   "rows"    position  below  after   up to `below` rows that precede a position, and up to `after` rows from it on;
--                                      the position is a member (24 bytes) and a sort key, or "start" or "end"
--   "row"     index     ""     ""      the row at a 0-based index: { member, sort key }, or {}
--   "count"   position  ""     ""      how many entries precede a position
--
-- Returns false when the copy cannot be trusted (copy.lua); else { epoch, version, changed_at, total, has anybody been
-- put on this board in this epoch?, answer... }, the answer to "rows" being
--   { before, better, through, above_first, through_last, below, member, sort key, member, sort key, ... }
-- before: entries that precede the position; better, through: entries with a better score, and with one no worse, than
-- that of the position; above_first: entries with a better score than the first row; through_last: entries no worse
-- than the last row; below: how many of the rows precede the position.
local meta, zset, members = KEYS[1], KEYS[2], KEYS[3]
local head = redis.call('HMGET', meta, 'epoch', 'run', 'ready', 'v:' .. ARGV[1], 't:' .. ARGV[1], 'n:' .. ARGV[1])
if not head[3] or head[2] ~= this_run() or not is_whole(head[6], zset, members) then return false end
local total = redis.call('ZCARD', zset)

local function count_better(sort_key) return redis.call('ZCOUNT', zset, '-inf', '(' .. sort_key) end
local function count_through(sort_key) return redis.call('ZCOUNT', zset, '-inf', sort_key) end

local function user(id)
  local known = redis.call('HGET', members, id)
  local member = known and string.sub(known, 1, 8) .. id
  local sort_key = member and redis.call('ZSCORE', zset, member)
  return sort_key and { member, sort_key } or {}
end

local function rows(position, below, after)
  local before, better, through = 0, 0, 0
  if position == 'end' then
    before, better, through = total, total, total
  elseif position ~= 'start' then
    local member, sort_key = split_position(position)
    before, better, through = count_preceding(zset, member, sort_key), count_better(sort_key), count_through(sort_key)
  end
  below = math.min(tonumber(below), before)
  local count, found = below + tonumber(after), {}
  if count > 0 then found = redis.call('ZRANGE', zset, before - below, before - below + count - 1, 'WITHSCORES') end
  local answer = { before, better, through, 0, 0, below }
  if #found > 0 then answer[4], answer[5] = count_better(found[2]), count_through(found[#found]) end
  for i = 1, #found do answer[6 + i] = found[i] end
  return answer
end

local function row(index) return redis.call('ZRANGE', zset, index, index, 'WITHSCORES') end
local function count(position) return count_preceding(zset, split_position(position)) end

local readers = { user = user, rows = rows, row = row, count = count }
local answer = { head[1], head[4] or '0', head[5] or '0', total, head[6] and 1 or 0 }
for a = 2, #ARGV, 4 do
  answer[#answer + 1] = readers[ARGV[a]](ARGV[a + 1], ARGV[a + 2], ARGV[a + 3])
end
return answer
