-- What every script begins with: may the copies of a category be trusted?
--
-- The hash `meta` lies in the slot of its boards and says which run of which node it was written to (`run`), so that a
-- node that restarted from a dump, or a replica that was promoted, is noticed by the first script that runs there. Of
-- each window it has the numbers of visible and of all users (`n:<window>`), which no longer match when one of a
-- board's keys was evicted or deleted, or when a write stopped half-way.
local function this_run()
  local facts = redis.pcall('INFO', 'server')
  if type(facts) == 'table' then
    error({ err = 'NOPERM the user of the service must be permitted to call INFO: ' .. facts.err })
  end
  local at = string.find(facts, 'run_id:', 1, true)
  return string.sub(facts, at + 7, at + 46)
end

-- `counts`: what `meta` says of the window; false if nobody is on the board yet.
local function sizes(zset, members) return redis.call('ZCARD', zset) .. ' ' .. redis.call('HLEN', members) end
local function is_whole(counts, zset, members) return (counts or '0 0') == sizes(zset, members) end

-- Add to the sum of the user's bucket the digest of the row with `revision`, and subtract that of the row with
-- `previous`; both may be nil. Comparing the copies with PostgreSQL uses these sums: see digests.py.
local byte = string.byte
local function add_digest(sums, user, revision, previous)
  local a, b, c, _, d, e = byte(user, 11, 16)
  local weight, bucket, change = a * 65536 + b * 256 + c + 1, (d * 256 + e) % 1024, 0
  if revision then change = weight * (revision % 16777216 + 1) % 4294967296 end
  if previous then change = change - weight * (previous % 16777216 + 1) % 4294967296 end
  sums[bucket] = (sums[bucket] or 0) + change
end

local function store_digests(key, sums)
  for bucket, change in pairs(sums) do
    if change ~= 0 then redis.call('HINCRBY', key, bucket, string.format('%.0f', change)) end
  end
end
