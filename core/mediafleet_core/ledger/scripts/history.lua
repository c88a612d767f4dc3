-- The record and its own state changes in one step.
local r = owned(A.id, A.tenant)
if not r then return 'UPLOAD_NOT_FOUND' end
extra = redis.call('LRANGE', record_key(A.id) .. ':history', 0, -1)
return 'OK', redis.call('GET', P .. 'epoch') or ''
