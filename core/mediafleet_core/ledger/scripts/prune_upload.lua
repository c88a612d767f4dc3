-- A terminal record goes, unless it changed since it was read. Its objects stay in use, unless A.objects says that they
-- go too or they were kept for a retry only.
local r = load(A.id)
if not r or num(get(r, 'rev')) ~= A.revision or not TERMINAL[get(r, 'state')]
  or redis.call('ZSCORE', P .. 'manifests', r.id) then return 'KEPT' end
if A.objects or get(r, 'state') ~= 'SUCCEEDED' then
  if get(r, 'original') ~= '' then
    refund_renditions(r)
    refund_original(r)
    plan_sweep(r, upload_prefix(r), false)
  end
  redis.call('SET', P .. 'emptied:' .. r.id, '', 'PX', CONSTANTS.request) -- for whoever reconciles the bucket
end
remove(r)
redis.call('DEL', record_key(r.id))
return 'OK'
