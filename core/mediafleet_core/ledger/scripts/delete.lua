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
plan_sweep(r, upload_prefix(r), true)
remove(r)
redis.call('RENAME', record_key(r.id), grave)
redis.call('PEXPIRE', grave, CONSTANTS.request)
extra = redis.call('HGETALL', grave)
return 'OK'
