-- The record goes, its usage is refunded, its prefix is swept; a day long a repeat answers the same.
local grave = P .. 'deleted:' .. A.id
local r = owned(A.id, A.tenant)
if not r then
  local buried = redis.call('HGETALL', grave)
  if #buried == 0 then return 'UPLOAD_NOT_FOUND' end
  for i = 1, #buried, 2 do
    if buried[i] == 'tenant' and buried[i + 1] ~= A.tenant then return 'UPLOAD_NOT_FOUND' end
  end
  extra = buried
  return 'OK'
end
reserve(r, 0)
refund_renditions(r)
refund_original(r)
unindex(r)
leave_queues(r)
leave_retained(r)
for _, key in ipairs({'expiry', 'manifests'}) do redis.call('ZREM', P .. key, r.id) end
plan_sweep(r, upload_prefix(r), true)
leave_batch(r)
append(r, 'deleted', get(r, 'state'))
save(r)
if get(r, 'request') ~= '' then
  redis.call('PEXPIRE', P .. 'request:' .. get(r, 'request'),
    int(math.max(1000, num(get(r, 'created')) + CONSTANTS.request - now)))
end
redis.call('RENAME', record_key(r.id), grave)
redis.call('PEXPIRE', grave, CONSTANTS.request)
redis.call('DEL', record_key(r.id) .. ':parts', record_key(r.id) .. ':history')
extra = redis.call('HGETALL', grave)
return 'OK'
