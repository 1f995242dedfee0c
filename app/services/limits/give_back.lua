-- Remove hits from windows in which they were counted, because they were refused elsewhere.
--
-- KEYS    the windows: lists, see rate_limiter.lua
-- ARGV[1] a JSON array of numbers: for each window, how many hits, and the instant at which they were counted
--
-- Hits of one instant are equal, so it does not matter whose are removed. What they had pushed out of a window counted no
-- more, so it need not come back.
local numbers = cjson.decode(ARGV[1])
for n, window in ipairs(KEYS) do
  redis.call('LREM', window, -numbers[2 * n - 1], string.format('%.0f', numbers[2 * n]))
end
return {}
