-- Release a lock, unless it has expired and somebody else has it.
--
-- KEYS[1] the lock   ARGV[1] its owner
if redis.call('GET', KEYS[1]) == ARGV[1] then redis.call('DEL', KEYS[1]) end
