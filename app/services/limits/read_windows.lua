-- Read windows.
--
-- KEYS the windows: lists, see rate_limiter.lua
--
-- Returns the time in microseconds, then the instants in each window.
local time = redis.call('TIME')
local answer = { time[1] * 1000000 + time[2] }
for n, window in ipairs(KEYS) do answer[n + 1] = redis.call('LRANGE', window, 0, -1) end
return answer
