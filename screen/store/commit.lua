-- Makes a staged snapshot current, or changes nothing.
-- KEYS: head, snapshots, verified, listings, staged listings, then the pieces of the content.
-- ARGV: expected sequence and digest; schema, sequence, digest, created_at; manifest; channel;
--       then list id and verification in turn.
local head = redis.call('HMGET', KEYS[1], 'sequence', 'digest')
if (head[1] or '0') ~= ARGV[1] or (head[2] or '') ~= ARGV[2] then
  return 'conflict'
end
for i = 6, #KEYS do
  if redis.call('EXISTS', KEYS[i]) == 0 then
    return 'content is incomplete'
  end
end
for i = 6, #KEYS do
  redis.call('PERSIST', KEYS[i])
end
redis.call('HSET', KEYS[2], ARGV[4], ARGV[7])
for i = 9, #ARGV, 2 do
  redis.call('HSET', KEYS[3], ARGV[i], ARGV[i + 1])
end
if redis.call('EXISTS', KEYS[5]) == 1 then
  redis.call('PERSIST', KEYS[5])
  redis.call('RENAME', KEYS[5], KEYS[4])
else
  redis.call('DEL', KEYS[4])
end
-- The head comes last: a script that fails before it has made nothing current.
redis.call('HSET', KEYS[1], 'schema', ARGV[3], 'sequence', ARGV[4], 'digest', ARGV[5], 'created_at', ARGV[6])
redis.call('PUBLISH', ARGV[8], ARGV[4])
return 'ok'
