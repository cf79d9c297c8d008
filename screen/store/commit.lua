-- Makes a staged snapshot current, or changes nothing and says why.
-- KEYS: head, snapshots, verified, listings, staged listings, then the pieces of the content.
-- ARGV: expected sequence and digest; schema, sequence, digest, created_at; manifest;
--       number of staged listings' fields; channel; then list id and verification in turn.

-- A script is not rolled back: whatever could fail is looked at before the first write.
for i = 1, 3 do
  local found = redis.call('TYPE', KEYS[i]).ok
  if found ~= 'hash' and found ~= 'none' then
    return KEYS[i] .. ' holds a ' .. found .. ', not a hash'
  end
end
local head = redis.call('HMGET', KEYS[1], 'sequence', 'digest')
if (head[1] or '0') ~= ARGV[1] or (head[2] or '') ~= ARGV[2] then
  return 'conflict'
end
if redis.call('HLEN', KEYS[5]) ~= tonumber(ARGV[8]) then
  return KEYS[5] .. ' is not what was written there'
end
for i = 6, #KEYS do
  if redis.call('EXISTS', KEYS[i]) == 0 then
    return KEYS[i] .. ' is gone'
  end
end

for i = 6, #KEYS do
  redis.call('PERSIST', KEYS[i])
end
redis.call('HSET', KEYS[2], ARGV[4], ARGV[7])
for i = 10, #ARGV, 2 do
  redis.call('HSET', KEYS[3], ARGV[i], ARGV[i + 1])
end
if ARGV[8] == '0' then
  redis.call('DEL', KEYS[4])
else
  redis.call('PERSIST', KEYS[5])
  redis.call('RENAME', KEYS[5], KEYS[4])
end
redis.call('HSET', KEYS[1], 'schema', ARGV[3], 'sequence', ARGV[4], 'digest', ARGV[5], 'created_at', ARGV[6])
redis.call('PUBLISH', ARGV[9], ARGV[4])
return 'ok'
