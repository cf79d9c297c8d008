-- Drops snapshots beyond the number to keep, never the one that the head names,
-- and content that no snapshot that is kept names.
-- KEYS: head, snapshots. ARGV: number to keep; prefix of content keys.
local head = redis.call('HMGET', KEYS[1], 'sequence', 'digest')
local current = tonumber(head[1])
if not current then
  return 0
end
local kept, dropped = {[head[2]] = true}, {}
local all = redis.call('HGETALL', KEYS[2])
for i = 1, #all, 2 do
  local sequence = tonumber(all[i])
  -- A manifest that cannot be read names no content that could be loaded.
  local ok, manifest = pcall(cjson.decode, all[i + 1])
  local digest = ok and type(manifest) == 'table' and manifest.digest
  digest = type(digest) == 'string' and digest or ''
  if sequence and sequence ~= current and sequence <= current - tonumber(ARGV[1]) then
    dropped[all[i]] = digest
  else
    kept[digest] = true
  end
end
local count = 0
for field, digest in pairs(dropped) do
  redis.call('HDEL', KEYS[2], field)
  if not kept[digest] then
    local piece = 0
    while redis.call('UNLINK', ARGV[2] .. digest .. ':' .. piece) == 1 do
      piece = piece + 1
    end
  end
  count = count + 1
end
return count
