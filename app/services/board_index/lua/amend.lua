-- Set a field of `meta`, unless the epoch is over. Returns whether it was set.
--
-- KEYS[1] meta   ARGV epoch, field, value
local head = redis.call('HMGET', KEYS[1], 'epoch', 'run')
if head[1] ~= ARGV[1] or head[2] ~= this_run() then return 0 end
redis.call('HSET', KEYS[1], ARGV[2], ARGV[3])
return 1
