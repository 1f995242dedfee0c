-- Read any number of views of one board, all of one version.
--
-- KEYS[1] meta   KEYS[2] sorted set   KEYS[3] members     (layout: put.lua)
-- ARGV[1] window, then requests:
--   "page"   offset    limit    entries from a 0-based offset on
--   "around" user      radius   2 * radius + 1 entries with the user as near to the middle as the edges allow
--   "place"  user      above    one user as the last of a page that begins at most `above` entries higher
--   "after"  position  limit    entries that follow a position: member (24 bytes), then sort key
--   "before" position  limit    entries that lead up to a position; to the end of the board when it is empty
--
-- Returns false when the copy cannot be trusted (copy.lua); else { epoch, version, changed_at, total, view... }, each
-- view being
--   { offset, above, through, member, sort key, member, sort key, ... }
-- above: entries with a better score than the first; through: entries no worse than the last. A user without a row: {}.
local meta, zset, members = KEYS[1], KEYS[2], KEYS[3]
local head = redis.call('HMGET', meta, 'epoch', 'run', 'ready', 'v:' .. ARGV[1], 't:' .. ARGV[1], 'n:' .. ARGV[1])
if not head[3] or head[2] ~= this_run() or not is_whole(head[6], zset, members) then return false end
local total = redis.call('ZCARD', zset)

local function count_better(sort_key) return redis.call('ZCOUNT', zset, '-inf', '(' .. sort_key) end
local function count_through(sort_key) return redis.call('ZCOUNT', zset, '-inf', sort_key) end

local function page(offset, limit)
  local rows = {}
  if limit > 0 then rows = redis.call('ZRANGE', zset, offset, offset + limit - 1, 'WITHSCORES') end
  if #rows == 0 then return { offset, 0, 0 } end
  local view = { offset, count_better(rows[2]), count_through(rows[#rows]) }
  for i = 1, #rows do view[#view + 1] = rows[i] end
  return view
end

local function rank_of(user)
  local known = redis.call('HGET', members, user)
  return known and redis.call('ZRANK', zset, string.sub(known, 1, 8) .. user)
end

local function around(user, radius)
  local rank = rank_of(user)
  if not rank then return {} end
  local size = 2 * radius + 1
  return page(math.max(0, math.min(rank - radius, total - size)), size)
end

local function place(user, above)
  local rank = rank_of(user)
  if not rank then return {} end
  local first = math.max(0, rank - above)
  return page(first, rank - first + 1)
end

-- How many entries come before a position, and the member and the sort key of it.
local function count_before(position)
  local member, sort_key = split_position(position)
  return count_preceding(zset, member, sort_key), member, tonumber(sort_key)
end

local function after(position, limit)
  local offset, member, sort_key = count_before(position)
  local found = redis.call('ZRANGE', zset, offset, offset, 'WITHSCORES')
  if found[1] == member and tonumber(found[2]) == sort_key then offset = offset + 1 end
  return page(offset, limit)
end

local function before(position, limit)
  local stop = position == '' and total or count_before(position)
  local first = math.max(0, stop - limit)
  return page(first, stop - first)
end

local readers = { page = page, around = around, place = place, after = after, before = before }
local answer = { head[1], head[4] or '0', head[5] or '0', total }
for a = 2, #ARGV, 3 do
  local kind, first, second = ARGV[a], ARGV[a + 1], tonumber(ARGV[a + 2])
  if kind == 'page' then first = tonumber(first) end
  answer[#answer + 1] = readers[kind](first, second)
end
return answer
