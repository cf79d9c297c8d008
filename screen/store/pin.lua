-- Pins a snapshot if it is kept.
-- KEYS: snapshots, pins. ARGV: sequence; name of the pin.
if redis.call('HEXISTS', KEYS[1], ARGV[1]) == 0 then
  return 0
end
redis.call('HSET', KEYS[2], ARGV[2], ARGV[1])
return 1
