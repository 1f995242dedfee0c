-- Tell the state of a category's copies.
--
-- KEYS[1] meta, then sorted set and members of each board   ARGV the windows of these boards
--
-- Returns { epoch or false, written to this run of the node?, ready?, origin, repaired, windows that are not whole,
-- windows that somebody was put on, transactions that were seen }.
local meta = KEYS[1]
local all, run = redis.call('HGETALL', meta), this_run()
local fields, seen, incomplete, written = {}, {}, {}, {}
for i = 1, #all, 2 do
  fields[all[i]] = all[i + 1]
  if string.sub(all[i], 1, 5) == 'seen:' then seen[#seen + 1] = all[i + 1] end
end
for b, window in ipairs(ARGV) do
  if fields['n:' .. window] then written[#written + 1] = window end
  if not is_whole(fields['n:' .. window], KEYS[2 * b], KEYS[2 * b + 1]) then incomplete[#incomplete + 1] = window end
end
return {
  fields.epoch or false, fields.run == run and 1 or 0, fields.ready and 1 or 0, fields.origin or '',
  fields.repaired or '0', incomplete, written, seen,
}
