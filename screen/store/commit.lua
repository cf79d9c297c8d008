-- Makes a staged snapshot current, or changes nothing and says why.
-- KEYS: head, snapshots, verified, listings, staged listings, list of pieces, retired, rolled back, changes.
-- ARGV: expected sequence and digest; schema, sequence, digest, created_at; manifest; what changed, for the
--       stream; length of the stream; channel; prefix of the keys of pieces; fields that listings must have, or
--       '' for "put the staged ones in their place", and fields that there are then; statement, signature and
--       id of its key, all '' for none; four numbers, each followed
--       by so many: verifications (list id and value), listings to set (field and value), listings to drop
--       (field), publications that were rolled back (digest and sequence); then those that are released (digest).

-- A script is not rolled back: whatever could fail is looked at before the first write.
for i, kind in ipairs({'hash', 'hash', 'hash', 'hash', 'hash', 'string', 'set', 'hash', 'stream'}) do
  local found = redis.call('TYPE', KEYS[i]).ok
  if found ~= kind and found ~= 'none' then
    return KEYS[i] .. ' holds a ' .. found .. ', not a ' .. kind
  end
end
local head = redis.call('HMGET', KEYS[1], 'sequence', 'digest')
if (head[1] or '0') ~= ARGV[1] or (head[2] or '') ~= ARGV[2] then
  return 'conflict'
end
local whole = ARGV[12] == ''
if whole then
  if redis.call('HLEN', KEYS[5]) ~= tonumber(ARGV[13]) then
    return 'again: ' .. KEYS[5] .. ' is not what was written there'
  end
elseif redis.call('HLEN', KEYS[4]) ~= tonumber(ARGV[12]) then
  return 'listings'
end
local list = redis.call('GET', KEYS[6])
if not list then
  return 'again: ' .. KEYS[6] .. ' is gone'
end
for digest, size in string.gmatch(list, '(%x+) (%d+)\n') do
  local piece = ARGV[11] .. digest
  local found = redis.call('TYPE', piece).ok
  if found ~= 'string' or redis.call('STRLEN', piece) ~= tonumber(size) then
    return 'again: ' .. piece .. ' is gone, or not what was written there'
  end
end

-- First what a Redis that is out of memory refuses: it does not refuse a second write.
redis.call('HSET', KEYS[2], ARGV[4], ARGV[7])
for digest in string.gmatch(list, '(%x+) %d+\n') do
  redis.call('PERSIST', ARGV[11] .. digest)
end
redis.call('PERSIST', KEYS[6])
redis.call('SREM', KEYS[7], ARGV[5])
local at = 17
local function pairs_of(f)
  local n = tonumber(ARGV[at])
  for i = at + 1, at + 2 * n, 2 do
    f(ARGV[i], ARGV[i + 1])
  end
  at = at + 2 * n + 1
end
pairs_of(function(id, value) redis.call('HSET', KEYS[3], id, value) end)
if whole then
  if ARGV[13] == '0' then
    redis.call('UNLINK', KEYS[4])
  else
    redis.call('PERSIST', KEYS[5])
    redis.call('UNLINK', KEYS[4])
    redis.call('RENAME', KEYS[5], KEYS[4])
  end
end
pairs_of(function(account, value) redis.call('HSET', KEYS[4], account, value) end)
local n = tonumber(ARGV[at])
for i = at + 1, at + n do
  redis.call('HDEL', KEYS[4], ARGV[i])
end
at = at + n + 1
pairs_of(function(digest, sequence) redis.call('HSET', KEYS[8], digest, sequence) end)
for i = at, #ARGV do
  redis.call('HDEL', KEYS[8], ARGV[i])
end
redis.call('XADD', KEYS[9], 'MAXLEN', '~', ARGV[9], '*', 'sequence', ARGV[4], 'digest', ARGV[5], 'created_at', ARGV[6], 'changes', ARGV[8])
if ARGV[14] == '' then
  redis.call('HDEL', KEYS[1], 'statement', 'signature', 'signature_key_id')
else
  redis.call('HSET', KEYS[1], 'statement', ARGV[14], 'signature', ARGV[15], 'signature_key_id', ARGV[16])
end
redis.call('HSET', KEYS[1], 'schema', ARGV[3], 'sequence', ARGV[4], 'digest', ARGV[5], 'created_at', ARGV[6])
redis.call('PUBLISH', ARGV[10], ARGV[4])
return 'ok'
