-- PROCESSING -> SUCCEEDED, under the fence of this attempt.
local r = held(A.id, A.fence)
if not r or not may(r, 'commit') then return 'LOST' end
leave_queues(r)
if get(r, 'kind') ~= A.kind then
  -- Found to be of another kind than declared: index and usage follow.
  local size = num(get(r, 'counted_original'))
  add_usage(r, 'o', -size, -1)
  redis.call('ZREM', index_key(r, 'kind:' .. get(r, 'kind')), r.id)
  set(r, 'kind', A.kind)
  redis.call('ZADD', index_key(r, 'kind:' .. A.kind), 0, r.id)
  add_usage(r, 'o', size, 1)
end
set(r, 'content_type', A.content_type)
set(r, 'sha256', A.sha256)
if A.crc32c then set(r, 'crc32c', A.crc32c) end
set(r, 'renditions', A.renditions)
set(r, 'media_info', A.media_info)
add_timings(r)
add_usage(r, 'r', A.size, A.objects)
set(r, 'counted_renditions', A.size)
set(r, 'rendition_objects', A.objects)
set(r, 'failure', '')
set(r, 'worker', '')
redis.call('ZADD', P .. 'manifests', int(now), r.id)
move(r, 'commit', 'done')
return 'OK'
