-- Drops some pieces of a content that is retired, while the head is still the one
-- with which they were found to be in no other: a publish may name them again.
-- KEYS: head, retired, list of pieces of the content, then pieces, few enough for unpack (Lua takes some 8000).
-- ARGV: expected sequence and digest; digest of the content if these are its last pieces, '' if not.
local head = redis.call('HMGET', KEYS[1], 'sequence', 'digest')
if head[1] ~= ARGV[1] or head[2] ~= ARGV[2] then
  return 'conflict'
end
if #KEYS > 3 then
  redis.call('UNLINK', unpack(KEYS, 4))
end
if ARGV[3] ~= '' then
  redis.call('UNLINK', KEYS[3])
  redis.call('SREM', KEYS[2], ARGV[3])
end
return 'ok'
