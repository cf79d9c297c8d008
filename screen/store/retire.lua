-- Drops snapshots beyond the number to keep, never the one that the head names,
-- and content that no snapshot that is kept names.
-- KEYS: head, snapshots. ARGV: number to keep; prefix of content keys.
local current = tonumber(redis.call('HGET', KEYS[1], 'sequence'))
if not current then
  return 0
end
local kept, dropped = {}, {}
local all = redis.call('HGETALL', KEYS[2])
for i = 1, #all, 2 do
  local sequence, manifest = tonumber(all[i]), cjson.decode(all[i + 1])
  if sequence ~= current and sequence <= current - tonumber(ARGV[1]) then
    dropped[all[i]] = manifest
  else
    kept[manifest.digest] = true
  end
end
local count = 0
for field, manifest in pairs(dropped) do
  redis.call('HDEL', KEYS[2], field)
  if not kept[manifest.digest] then
    for i = 0, manifest.chunks - 1 do
      redis.call('UNLINK', ARGV[2] .. manifest.digest .. ':' .. i)
    end
  end
  count = count + 1
end
return count
