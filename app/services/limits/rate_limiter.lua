-- Judge hits, in order: each passes and is counted in all of its windows, or is refused and counted in none.
--
-- KEYS per hit: the block of its address (string), the overruns of its address (list), then a list for each window
-- ARGV[1] a JSON array of numbers, which is cheaper to send than as many arguments:
--   overruns that block an address; within this time, in microseconds; how long it is blocked, in milliseconds;
--   then per hit the number of its windows, and for each of them: most hits, length in microseconds, cost
--
-- A window is a list of the instants, in microseconds, of its last `most` hits, oldest first. `cost` more fit in when
-- the hit they push out is older than the window is long. So the limit holds for every stretch of time, and the wait
-- is exact. The last window of a hit is everybody's: a hit that is over that one alone is no overrun.
--
-- Returns two numbers per hit: the wait in microseconds, 0 when it passes; and the number of the window that asks for
-- the longest wait, 0 when the address is blocked. Keys expire when nothing in them counts any more.
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local stamp = string.format('%.0f', now)
local numbers = cjson.decode(ARGV[1])
local overruns_that_block, overrun_length, block_milliseconds = numbers[1], numbers[2], numbers[3]

local function wait_for(window, most, length, cost)
  local pushed_out = redis.call('LINDEX', window, cost - most - 1)
  if not pushed_out then return 0 end
  -- A clock that was set back must not make anybody wait longer than the window is.
  return math.min(math.max(pushed_out + length - now, 0), length)
end

local function count(window, most, length, cost)
  for _ = 1, cost do redis.call('RPUSH', window, stamp) end
  redis.call('LTRIM', window, -most, -1)
  redis.call('PEXPIRE', window, math.ceil(length / 1000))
end

-- The remaining time of a block that this overrun has brought about, or 0.
local function overrun(block, overruns)
  count(overruns, overruns_that_block, overrun_length, 1)
  if wait_for(overruns, overruns_that_block, overrun_length, 1) == 0 then return 0 end
  redis.call('SET', block, 1, 'PX', block_milliseconds)
  redis.call('DEL', overruns)
  return block_milliseconds * 1000
end

-- The hit whose keys begin at `key` and whose windows are described from `at` on.
local function judge(key, at, windows)
  local blocked = redis.call('PTTL', KEYS[key])
  if blocked > 0 then return blocked * 1000, 0 end
  local longest, which, own = 0, 0, false
  for n = 1, windows do
    local most, length, cost = unpack(numbers, at + 3 * n - 3, at + 3 * n - 1)
    local wait = wait_for(KEYS[key + 1 + n], most, length, cost)
    if wait > longest then longest, which = wait, n end
    own = own or (wait > 0 and n < windows)
  end
  if own then
    blocked = overrun(KEYS[key], KEYS[key + 1])
    if blocked > longest then return blocked, 0 end
  end
  if longest > 0 then return longest, which end
  for n = 1, windows do
    count(KEYS[key + 1 + n], unpack(numbers, at + 3 * n - 3, at + 3 * n - 1))
  end
  return 0, 0
end

local verdicts, key, at = {}, 1, 4
while numbers[at] do
  local windows = numbers[at]
  local wait, which = judge(key, at + 1, windows)
  verdicts[#verdicts + 1] = wait
  verdicts[#verdicts + 1] = which
  key = key + 2 + windows
  at = at + 1 + 3 * windows
end
return verdicts
