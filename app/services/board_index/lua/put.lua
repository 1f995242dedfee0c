-- Bring a category's copies up to the given rows, and announce what moved.
--
-- Rows are absolute states guarded by their revision: applying one twice, late or out of order changes nothing.
-- All keys share the category's hash tag, so one call serves all periods of a category, in a cluster too.
--
-- KEYS[1]              meta      hash, see layout.py
-- KEYS[3b-1], KEYS[3b], KEYS[3b+1] of board b = 1..n: sorted set (member -> sort key), hash (user id -> reached_at ..
--                      revision), hash (bucket -> digest)
-- ARGV[1] channel      where moved boards are announced; empty for a shard of a split category, whose caller announces them
-- ARGV[2] now          microseconds since the epoch
-- ARGV[3] top          how many ranks the head of a board has
-- ARGV[4] seen         the field of `meta` for the newest transaction that these rows come from, and
-- ARGV[5]              its id; both empty if the rows come from no single transaction
-- ARGV[6] n            number of boards, then n times: window, seconds after which the board leaves Redis (0: never),
--                      1 if the window is closed. Of a closed board that is not here whole nothing is stored: nobody
--                      loads it any more, and a part of it would pass for the whole
-- then rows            one string, which is cheaper to send than as many arguments: per row, in 43 bytes, its board
--                      (1..n), visible (0 or 1), sort key, revision, reached_at (8 bytes) and user id (16 bytes)
--
-- Returns false when the copies cannot be trusted (copy.lua), after which nobody reads them before they are loaded
-- again; else two lists: per row the rank before and the rank after (1-based, 0: none), and per board that moved what
-- was announced of it. For a shard a third list follows: per row the position before and the position after, which are
-- a member and a sort key, or empty.
local meta = KEYS[1]
local channel, is_shard = ARGV[1], ARGV[1] == ''
local now, top, n = ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[6])

local windows, expiry, absent, changed, resized, moved, digests = {}, {}, {}, {}, {}, {}, {}
local fields = { 'epoch', 'run' }
for b = 1, n do
  windows[b], expiry[b] = ARGV[4 + 3 * b], tonumber(ARGV[5 + 3 * b])
  fields[2 + b] = 'n:' .. windows[b]
end
local head = redis.call('HMGET', meta, unpack(fields))
local epoch = head[1]
if not epoch or head[2] ~= this_run() then return false end
for b = 1, n do
  local whole, closed = is_whole(head[2 + b], KEYS[3 * b - 1], KEYS[3 * b]), ARGV[6 + 3 * b] == '1'
  if not whole and not closed then
    redis.call('HDEL', meta, 'ready')
    return false
  end
  absent[b] = closed and not (whole and head[2 + b])
  digests[b] = {}
end

local ranks, positions, rows = {}, {}, ARGV[7 + 3 * n]
for at = 1, #rows, 43 do
  local b, visible, sort_key, revision, reached, user = struct.unpack('>I2Bi8I8c8c16', rows, at)
  visible = visible == 1
  local zset, members = KEYS[3 * b - 1], KEYS[3 * b]
  local known = redis.call('HGET', members, user)
  local before, after = false, false
  local position_before, position_after = '', ''
  local member = reached .. user
  if absent[b] then
    -- Its readers are sent to PostgreSQL.
  elseif known then
    local old = string.sub(known, 1, 8) .. user
    before = redis.call('ZRANK', zset, old)
    if is_shard and before then position_before = old .. redis.call('ZSCORE', zset, old) end
    local previous = tonumber(string.sub(known, 9))
    if previous <= revision then
      add_digest(digests[b], user, revision, previous)
      local removed, touched = 0, 0
      -- First, because a Redis without memory refuses this command, but not ZREM.
      redis.call('HSET', members, user, reached .. string.format('%.0f', revision))
      if old ~= member or not visible then removed = redis.call('ZREM', zset, old) end
      if visible then touched = redis.call('ZADD', zset, 'CH', sort_key, member) end
      if removed + touched > 0 then changed[b] = true end
      if removed ~= touched then resized[b] = true end
      if visible then after = redis.call('ZRANK', zset, member) end
    else
      after, position_after = before, position_before
    end
  else
    redis.call('HSET', members, user, reached .. string.format('%.0f', revision))
    add_digest(digests[b], user, revision)
    resized[b] = true
    if visible then
      redis.call('ZADD', zset, sort_key, member)
      changed[b] = true
      after = redis.call('ZRANK', zset, member)
    end
  end
  if is_shard then
    if after and position_after == '' then position_after = member .. string.format('%.0f', sort_key) end
    positions[#positions + 1] = position_before
    positions[#positions + 1] = position_after
  end
  if (before and before < top) or (after and after < top) then moved[b] = true end
  ranks[#ranks + 1] = before and before + 1 or 0
  ranks[#ranks + 1] = after and after + 1 or 0
end

local news, updates = {}, {}
for b = 1, n do
  store_digests(KEYS[3 * b + 1], digests[b])
  if resized[b] then
    updates[#updates + 1] = fields[2 + b]
    updates[#updates + 1] = sizes(KEYS[3 * b - 1], KEYS[3 * b])
  end
  if (changed[b] or resized[b]) and expiry[b] > 0 then
    for key = 3 * b - 1, 3 * b + 1 do redis.call('EXPIRE', KEYS[key], expiry[b]) end
  end
  if changed[b] then
    local version = redis.call('HINCRBY', meta, 'v:' .. windows[b], 1)
    updates[#updates + 1] = 't:' .. windows[b]
    updates[#updates + 1] = now
    news[#news + 1] = { windows[b], version, moved[b] or false, epoch .. '/' .. windows[b], now }
  end
end
if ARGV[4] ~= '' then
  updates[#updates + 1] = ARGV[4]
  updates[#updates + 1] = ARGV[5]
end
if #updates > 0 then redis.call('HSET', meta, unpack(updates)) end
if #news > 0 and not is_shard then redis.call('SPUBLISH', channel, cjson.encode({ boards = news })) end
for i = 1, #news do news[i][3] = news[i][3] and 1 or 0 end
if is_shard then return { ranks, news, positions } end
return { ranks, news }
