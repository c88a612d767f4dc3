-- What the caller may change at any time.
local r = owned(A.id, A.tenant)
if not r then return 'UPLOAD_NOT_FOUND' end
if A.caption then set(r, 'caption', A.caption) end
if A.labels then set(r, 'labels', A.labels) end
if get(r, 'state') == 'SUCCEEDED' then redis.call('ZADD', P .. 'manifests', int(now), r.id) end
save(r)
return 'OK'
