-- Reserve quota and write a record in RECEIVING, under A.fence (1 when it is opened for writing at once); or answer the
-- upload that this request made before. The detail tells which: its fence, or nothing.
local request = A.request and (P .. 'request:' .. A.request)
if request then
  local seen = redis.call('HMGET', request, 'id', 'digest')
  if seen[1] then
    if seen[2] ~= A.digest then return 'REQUEST_ID_REUSED' end
    A.id = seen[1]
    if redis.call('EXISTS', record_key(A.id)) == 0 then return 'UPLOAD_NOT_FOUND' end
    return 'OK'
  end
end
local batch = A.field.batch
if batch ~= '' then
  local found = redis.call('HMGET', batch_key(batch), 'tenant', 'state', 'collection')
  if found[1] ~= A.field.tenant then return 'BATCH_NOT_FOUND' end
  if found[2] ~= 'OPEN' then return 'BATCH_SEALED' end
  if A.field.collection == '' then A.field.collection = found[3] end
end
local exceeded = over_quota(A.field.tenant, A.field.collection, A.reserve, A.limits)
if exceeded then return 'QUOTA_EXCEEDED', exceeded end
if A.dry then
  A.id = ''
  return 'OK'
end
local r = {id = A.id, field = {batch = batch}, dirty = {batch = true}}
for name, value in pairs(A.field) do set(r, name, value) end
set(r, 'state', 'RECEIVING')
set(r, 'created', now)
set(r, 'expires', now + A.expires_in)
set(r, 'request', A.request or '')
set(r, 'reserved', 0)
for _, name in ipairs({'rev', 'seq', 'committed', 'whole', 'failed', 'lost', 'attempt'}) do set(r, name, 0) end
set(r, 'fence', A.fence)
set(r, 'series', 1)
set(r, 'percent', '0')
set(r, 'work', '0')
set(r, 'stage', 'receiving')
set(r, 'next_number', 1)
reserve(r, A.reserve)
index(r)
redis.call('SADD', P .. 'tenants', A.field.tenant)
count_in_batch(r, nil, 'RECEIVING')
redis.call('ZADD', P .. 'expiry', int(now + A.expires_in), r.id)
if request then redis.call('HSET', request, 'id', r.id, 'digest', A.digest) end
append(r, 'state', '')
save(r)
return 'OK', int(A.fence)
