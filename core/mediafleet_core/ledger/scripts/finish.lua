-- RECEIVING -> QUEUED: the original is durable.
local r, refused, detail = writable(A.id, A.fence)
if not r then return refused, detail end
if get(r, 'size') == '' then
  local exceeded = over_quota(get(r, 'tenant'), get(r, 'collection'), A.size - num(get(r, 'reserved')), A.limits)
  if exceeded then return 'QUOTA_EXCEEDED', exceeded end
end
reserve(r, 0)
set(r, 'original', A.key)
set(r, 'size', A.size)
set(r, 'committed', A.size)
if A.crc32c then set(r, 'crc32c', A.crc32c) end
if A.sha256 then set(r, 'sha256', A.sha256) end
count_original(r, A.size)
redis.call('ZREM', P .. 'expiry', r.id)
redis.call('DEL', record_key(r.id) .. ':parts')
-- What earlier writers left, or may still be about to leave: tails, and originals that nobody will name.
if num(get(r, 'fence')) > 1 then
  plan_sweep(r, upload_prefix(r) .. 'tail/', false)
  plan_sweep(r, upload_prefix(r) .. 'o/', false, A.key)
end
set(r, 'tail', '')
set(r, 'flow', '')
set(r, 'held', '')
set(r, 'multipart_key', '')
set(r, 'multipart_id', '')
set(r, 'expires', '')
set(r, 'max_attempts', A.max_attempts)
set(r, 'percent', CONSTANTS.received)
set(r, 'work', CONSTANTS.received)
learn_share(get(r, 'tenant'), A.share)
join_waiting(r)
move(r, 'finish', 'queued')
return 'OK'
