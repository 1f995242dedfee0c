-- Decide about hits, in order: each is allowed and counted in all of its windows, or refused and counted in none.
--
-- KEYS per hit: the block of its address (string: the instant of its end, in microseconds), the overruns of its
--   address (list), then a list for each window
-- ARGV[1] a JSON array of numbers, which is cheaper to send than as many arguments:
--   overruns that block an address; within this time, in microseconds; how long it is blocked, in milliseconds;
--   then per hit the number of its windows, and for each of them: maximum hits, length in microseconds, cost
--
-- A window is a list of the instants, in microseconds, of its last `max_hits` hits, oldest first. `cost` more fit when
-- the hit they push out is older than the window is long. So the limit holds for any period of that length, and the
-- wait is exact. The last window of a hit is the service-wide one: exceeding that one alone is not an overrun.
--
-- Returns two numbers per hit: the wait in microseconds, 0 if it is allowed; and the number of the window with the
-- longest wait, 0 if the address is blocked. Keys expire when nothing in them counts any more.
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local stamp = string.format('%.0f', now)
local numbers = cjson.decode(ARGV[1])
local max_overruns, overrun_length, block_milliseconds = numbers[1], numbers[2], numbers[3]

local function wait_for(window, max_hits, length, cost)
  local pushed_out = redis.call('LINDEX', window, cost - max_hits - 1)
  if not pushed_out then return 0 end
  -- A clock that was set back must not make the wait longer than the window.
  return math.min(math.max(pushed_out + length - now, 0), length)
end

local function count(window, max_hits, length, cost)
  for _ = 1, cost do redis.call('RPUSH', window, stamp) end
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
local function count_overrun(block, overruns)
  count(overruns, max_overruns, overrun_length, 1)
  if wait_for(overruns, max_overruns, overrun_length, 1) == 0 then return 0 end
  redis.call('SET', block, string.format('%.0f', now + block_milliseconds * 1000), 'PX', block_milliseconds)
  redis.call('DEL', overruns)
  return block_milliseconds * 1000
end

-- Decide about the hit whose keys begin at `key` and whose windows are described from `at` on.
local function check(key, at, windows)
  local blocked = blocked_for(KEYS[key])
  if blocked > 0 then return blocked, 0 end
  local longest, which, own = 0, 0, false
  for n = 1, windows do
    local max_hits, length, cost = unpack(numbers, at + 3 * n - 3, at + 3 * n - 1)
    local wait = wait_for(KEYS[key + 1 + n], max_hits, length, cost)
    if wait > longest then longest, which = wait, n end
    own = own or (wait > 0 and n < windows)
  end
  if own then
    blocked = count_overrun(KEYS[key], KEYS[key + 1])
    if blocked > longest then return blocked, 0 end
  end
  if longest > 0 then return longest, which end
  for n = 1, windows do
    count(KEYS[key + 1 + n], unpack(numbers, at + 3 * n - 3, at + 3 * n - 1))
  end
  return 0, 0
end

local decisions, key, at = {}, 1, 4
while numbers[at] do
  local windows = numbers[at]
  local wait, which = check(key, at + 1, windows)
  decisions[#decisions + 1] = wait
  decisions[#decisions + 1] = which
  key = key + 2 + windows
  at = at + 1 + 3 * windows
end
return decisions
