-- A reconciliation ends: with its result, A.fields, or without one. The record of the result is the answer's extra.
if redis.call('HGET', P .. 'reconciling', 'run') ~= A.run then return 'OVER' end
if A.fields then
  local original_size, originals, rendition_size, renditions = stored_now(P .. 'usage')
  redis.call('HSET', P .. 'reconciliation', 'began', redis.call('HGET', P .. 'reconciling', 'began'), 'time', int(now),
    'keys', redis.call('HGET', P .. 'reconciling', 'listed'),
    'counted_size', int(original_size + rendition_size), 'counted_objects', int(originals + renditions),
    unpack(A.fields))
end
redis.call('DEL', P .. 'reconciling', P .. 'moved')
extra = redis.call('HGETALL', P .. 'reconciliation')
return 'OK'
