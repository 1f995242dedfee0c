-- Count the entries of one shard that precede positions on its boards, and read the versions of these boards.
--
-- KEYS[1] meta, then sorted set and members of board b = 1..n
-- ARGV[1] n, then n windows, then per position: board (1..n), position (member and sort key)
--
-- Returns false when the copies cannot be trusted (copy.lua), whether or not they are loaded whole; else
-- { epoch, { version... }, { count... } }, the version of a board that is not whole being false.
local n = tonumber(ARGV[1])
local fields = { 'epoch', 'run' }
for b = 1, n do
  fields[2 * b + 1] = 'n:' .. ARGV[1 + b]
  fields[2 * b + 2] = 'v:' .. ARGV[1 + b]
end
local head = redis.call('HMGET', KEYS[1], unpack(fields))
if not head[1] or head[2] ~= this_run() then return false end
local versions, counts = {}, {}
for b = 1, n do
  versions[b] = is_whole(head[2 * b + 1], KEYS[2 * b], KEYS[2 * b + 1]) and tonumber(head[2 * b + 2] or '0')
end
for a = n + 2, #ARGV, 2 do
  counts[#counts + 1] = count_preceding(KEYS[2 * tonumber(ARGV[a])], split_position(ARGV[a + 1]))
end
return { head[1], versions, counts }
