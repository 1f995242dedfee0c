-- Delete the copies of a category, and begin an empty epoch, which accepts puts but no reads.
--
-- KEYS[1] meta, then all keys that the boards of the category may have
-- ARGV    epoch, origin (which PostgreSQL the rows come from), microseconds of now
redis.call('UNLINK', unpack(KEYS))
redis.call('HSET', KEYS[1], 'epoch', ARGV[1], 'run', this_run(), 'origin', ARGV[2], 'repaired', ARGV[3])
