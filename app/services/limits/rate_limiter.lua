-- Decide about hits, in order: each is allowed and counted in all of its windows, or refused and counted in none.
--
-- KEYS per hit: for each subject that may be blocked, the block (string: the instant of its end, in microseconds) and
--   the overruns (list); then a list for each window
-- ARGV[1] a JSON array of numbers, which is cheaper to send than as many arguments:
--   the time within which overruns count, in microseconds; how long a block lasts, in milliseconds;
--   then per hit: the number of its subjects, and for each of them the overruns that block it; the number of its
--   windows, and for each of them: maximum hits, length in microseconds, cost, and the number of the subject for which
--   exceeding it is an overrun, 0 for none
--
-- A window is a list of the instants, in microseconds, of its last `max_hits` hits, oldest first. `cost` more fit when
-- the hit they push out is older than the window is long. So the limit holds for any period of that length, and the
-- wait is exact.
--
-- Returns two numbers per hit: the wait in microseconds, and the number of the window with the longest wait, or minus the
-- number of the subject that is blocked; for a hit that is allowed 0, and the instant at which it is counted. Keys expire
-- when nothing in them counts any more.
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local stamp = string.format('%.0f', now)
local numbers = cjson.decode(ARGV[1])
local overrun_length, block_milliseconds = numbers[1], numbers[2]
local max_arguments = 1000

local function wait_for(window, max_hits, length, cost)
  local pushed_out = redis.call('LINDEX', window, cost - max_hits - 1)
  if not pushed_out then return 0 end
  -- A clock that was set back must not make the wait longer than the window.
  return math.min(math.max(pushed_out + length - now, 0), length)
end

local function count(window, max_hits, length, cost)
  while cost > 0 do
    local stamps = {}
    for n = 1, math.min(cost, max_arguments) do stamps[n] = stamp end
    redis.call('RPUSH', window, unpack(stamps))
    cost = cost - #stamps
  end
  redis.call('LTRIM', window, -max_hits, -1)
  redis.call('PEXPIRE', window, math.ceil(length / 1000))
end

-- The remaining time of a block in microseconds; 0 without one.
local function blocked_for(block)
  local ends = redis.call('GET', block)
  if not ends then return 0 end
  return math.min(math.max(ends - now, 0), block_milliseconds * 1000)
end

-- The length of the block, in microseconds, that this overrun has caused; 0 if it has caused none.
local function count_overrun(block, overruns, max_overruns)
  count(overruns, max_overruns, overrun_length, 1)
  if wait_for(overruns, max_overruns, overrun_length, 1) == 0 then return 0 end
  redis.call('SET', block, string.format('%.0f', now + block_milliseconds * 1000), 'PX', block_milliseconds)
  redis.call('DEL', overruns)
  return block_milliseconds * 1000
end

-- Decide about the hit whose keys begin at `key`, and whose subjects and windows are described from `at` and
-- `described` on.
local function check(key, at, subjects, described, windows)
  for n = 1, subjects do
    local blocked = blocked_for(KEYS[key + 2 * n - 2])
    if blocked > 0 then return blocked, -n end
  end
  local longest, which, overran = 0, 0, {}
  local first = key + 2 * subjects - 1
  for n = 1, windows do
    local max_hits, length, cost, subject = unpack(numbers, described + 4 * n - 4, described + 4 * n - 1)
    local wait = wait_for(KEYS[first + n], max_hits, length, cost)
    if wait > longest then longest, which = wait, n end
    if wait > 0 then overran[subject] = true end
  end
  for n = 1, subjects do
    if overran[n] then
      local blocked = count_overrun(KEYS[key + 2 * n - 2], KEYS[key + 2 * n - 1], numbers[at + n - 1])
      if blocked > longest then longest, which = blocked, -n end
    end
  end
  if longest > 0 then return longest, which end
  for n = 1, windows do
    count(KEYS[first + n], unpack(numbers, described + 4 * n - 4, described + 4 * n - 2))
  end
  return 0, now
end

local decisions, key, at = {}, 1, 3
while numbers[at] do
  local subjects = numbers[at]
  local windows = numbers[at + subjects + 1]
  local described = at + subjects + 2
  local wait, which = check(key, at + 1, subjects, described, windows)
  decisions[#decisions + 1] = wait
  decisions[#decisions + 1] = which
  key = key + 2 * subjects + windows
  at = described + 4 * windows
end
return decisions
