-- Open a batch, or answer the one that this request made before.
local request = A.request and (P .. 'request:' .. A.request)
if request then
  local seen = redis.call('HMGET', request, 'id', 'digest')
  if seen[1] then
    if seen[2] ~= A.digest then return 'REQUEST_ID_REUSED' end
    A.batch = seen[1]
    return 'OK'
  end
  redis.call('HSET', request, 'id', A.batch, 'digest', A.digest)
end
local b = {id = A.batch, field = {}}
for name, value in pairs(A.field) do redis.call('HSET', batch_key(b.id), name, value) end
redis.call('HSET', batch_key(b.id), 'created', int(now), 'request', A.request or '')
redis.call('ZADD', P .. 'idx:' .. A.field.tenant .. ':batches', 0, b.id)
redis.call('ZADD', P .. 'batches_open', int(now), b.id)
move_batch(b, 'OPEN')
return 'OK'
