-- Records verifications of lists of the current snapshot, or changes nothing: those
-- of another snapshot would overwrite what its publisher knows.
-- KEYS: head, verified. ARGV: expected sequence and digest; channel; then list id and verification in turn.
local head = redis.call('HMGET', KEYS[1], 'sequence', 'digest')
if (head[1] or '0') ~= ARGV[1] or (head[2] or '') ~= ARGV[2] then
  return 'conflict'
end
for i = 4, #ARGV, 2 do
  redis.call('HSET', KEYS[2], ARGV[i], ARGV[i + 1])
end
redis.call('PUBLISH', ARGV[3], 'verified')
return 'ok'
