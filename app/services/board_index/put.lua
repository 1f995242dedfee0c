-- Bring a category's copies up to the given rows, and announce what moved.
--
-- Rows are absolute states guarded by their revision: applying one twice, late or out of order changes nothing.
-- All keys share the category's hash tag, so one call serves all periods of a category, in a cluster too.
--
-- KEYS[1]              meta      hash: epoch, ready, v:<window> version, t:<window> microseconds of the last change
-- KEYS[2b], KEYS[2b+1] of board b = 1..n: sorted set (member -> sort key), hash (user id -> reached_at .. revision)
-- ARGV[1] mode         "put" bumps versions, publishes and returns ranks; "load" only stores
-- ARGV[2] channel      where moved boards are announced
-- ARGV[3] now          microseconds since the epoch
-- ARGV[4] top          how many ranks the head of a board has
-- ARGV[5] n            number of boards, then n times: window, seconds after which the board leaves Redis (0: never),
--                      1 if the window is closed. Of a closed board that is not here nothing is stored: nobody loads
--                      it any more, and a part of it would pass for the whole
-- then rows            one string, which is cheaper to send than as many arguments: per row, in 39 bytes, its board
--                      (1..n), visible (0 or 1), sort key, revision, reached_at (8 bytes) and user id (16 bytes)
--
-- Returns false when the category is not loaded ("put" only); else two lists: per row the rank before and the
-- rank after (1-based, 0: none), and per board that moved what was announced of it.
local meta, put = KEYS[1], ARGV[1] == 'put'
local channel, now, top, n = ARGV[2], ARGV[3], tonumber(ARGV[4]), tonumber(ARGV[5])
local epoch = redis.call('HGET', meta, 'epoch')
if put and not epoch then return false end

local windows, expiry, absent, changed, moved = {}, {}, {}, {}, {}
for b = 1, n do
  windows[b], expiry[b] = ARGV[3 + 3 * b], tonumber(ARGV[4 + 3 * b])
  absent[b] = ARGV[5 + 3 * b] == '1' and redis.call('EXISTS', KEYS[2 * b]) == 0
end

local ranks, rows = {}, ARGV[6 + 3 * n]
for at = 1, #rows, 39 do
  local b, visible, sort_key, revision, reached, user = struct.unpack('>I2Bi4I8c8c16', rows, at)
  visible = visible == 1
  local zset, members = KEYS[2 * b], KEYS[2 * b + 1]
  local known = redis.call('HGET', members, user)
  local before, after = false, false
  local member = reached .. user
  if absent[b] then
    -- Its readers are sent to PostgreSQL.
  elseif known then
    local old = string.sub(known, 1, 8) .. user
    if put then before = redis.call('ZRANK', zset, old) end
    if tonumber(string.sub(known, 9)) <= revision then
      local removed, touched = 0, 0
      if old ~= member or not visible then removed = redis.call('ZREM', zset, old) end
      if visible then touched = redis.call('ZADD', zset, 'CH', sort_key, member) end
      redis.call('HSET', members, user, reached .. string.format('%.0f', revision))
      if removed + touched > 0 then changed[b] = true end
      if put and visible then after = redis.call('ZRANK', zset, member) end
    else
      after = before
    end
  else
    redis.call('HSET', members, user, reached .. string.format('%.0f', revision))
    if visible then
      redis.call('ZADD', zset, sort_key, member)
      changed[b] = true
      if put then after = redis.call('ZRANK', zset, member) end
    end
  end
  if (before and before < top) or (after and after < top) then moved[b] = true end
  ranks[#ranks + 1] = before and before + 1 or 0
  ranks[#ranks + 1] = after and after + 1 or 0
end

local news = {}
for b = 1, n do
  if changed[b] then
    if expiry[b] > 0 then
      redis.call('EXPIRE', KEYS[2 * b], expiry[b])
      redis.call('EXPIRE', KEYS[2 * b + 1], expiry[b])
    end
    if put then
      local version = redis.call('HINCRBY', meta, 'v:' .. windows[b], 1)
      redis.call('HSET', meta, 't:' .. windows[b], now)
      news[#news + 1] = { windows[b], version, moved[b] or false, epoch }
    end
  end
end
if #news > 0 then redis.call('SPUBLISH', channel, cjson.encode({ boards = news })) end
for i = 1, #news do news[i][3] = news[i][3] and 1 or 0 end
return { ranks, news }
