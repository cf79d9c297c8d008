-- Drops the manifests of snapshots beyond the number to keep, never of one that the
-- head or a pin names, and remembers contents that no manifest names any more.
-- KEYS: head, snapshots, pins, retired. ARGV: number to keep.
-- Answers nothing if no content is to be dropped; else sequence and digest of the
-- head, the digests of contents that are kept, '', and those that are to be dropped.
for i, kind in ipairs({'hash', 'hash', 'hash', 'set'}) do
  local found = redis.call('TYPE', KEYS[i]).ok
  if found ~= kind and found ~= 'none' then
    return redis.error_reply(KEYS[i] .. ' holds a ' .. found .. ', not a ' .. kind)
  end
end
local head = redis.call('HMGET', KEYS[1], 'sequence', 'digest')
local current = tonumber(head[1])
if not current or not head[2] then
  return {}
end
local pinned = {}
for _, sequence in ipairs(redis.call('HVALS', KEYS[3])) do
  pinned[sequence] = true
end
local kept, dropped = {[head[2]] = true}, {}
local all = redis.call('HGETALL', KEYS[2])
-- Numbers may have gaps: the oldest to keep is found by counting, from the head.
local sequences = {}
for i = 1, #all, 2 do
  local sequence = tonumber(all[i])
  if sequence and sequence <= current then
    table.insert(sequences, sequence)
  end
end
table.sort(sequences, function(a, b) return a > b end)
local oldest = sequences[tonumber(ARGV[1])] or 0
for i = 1, #all, 2 do
  local sequence = tonumber(all[i])
  -- A manifest that cannot be read names no content that could be loaded.
  local ok, manifest = pcall(cjson.decode, all[i + 1])
  local digest = ok and type(manifest) == 'table' and manifest.digest
  digest = type(digest) == 'string' and #digest == 64 and digest or ''
  if sequence and sequence ~= current and not pinned[all[i]] and sequence < oldest then
    dropped[all[i]] = digest
  elseif digest ~= '' then
    kept[digest] = true
  end
end
for field, digest in pairs(dropped) do
  redis.call('HDEL', KEYS[2], field)
  if digest ~= '' and not kept[digest] then
    redis.call('SADD', KEYS[4], digest)
  end
end
local retired = redis.call('SMEMBERS', KEYS[4])
if #retired == 0 then
  return {}
end
local answer = {head[1], head[2]}
for digest in pairs(kept) do
  table.insert(answer, digest)
end
table.insert(answer, '')
for _, digest in ipairs(retired) do
  table.insert(answer, digest)
end
return answer
