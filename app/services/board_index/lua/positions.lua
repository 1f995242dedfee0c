-- Positions in the order of a board: member (24 bytes), then sort key.

local function split_position(position) return string.sub(position, 1, 24), string.sub(position, 25) end

-- By byte, as the sorted set does: the operator `<` would follow the server's locale.
local function precedes(a, b)
  for i = 1, 24 do
    local x, y = string.byte(a, i), string.byte(b, i)
    if x ~= y then return x < y end
  end
  return false
end

-- How many entries come before a position, whether or not anybody stands on it: a binary search among equals.
local function count_preceding(zset, member, sort_key)
  local low = redis.call('ZCOUNT', zset, '-inf', '(' .. sort_key)
  local high = redis.call('ZCOUNT', zset, '-inf', sort_key)
  while low < high do
    local middle = math.floor((low + high) / 2)
    if precedes(redis.call('ZRANGE', zset, middle, middle)[1], member) then low = middle + 1 else high = middle end
  end
  return low
end
