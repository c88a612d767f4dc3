-- A drain gives the job back: no attempt is counted, it is the first in its queue again.
local r = held(A.id, A.fence)
if not r then return 'LOST' end
end_attempt(r)
if get(r, 'state') == 'CANCELLING' then
  retain(r)
  move(r, 'cancel')
else
  redis.call('ZADD', queue_key(r, 'waiting'), get(r, 'queued'), r.id)
  move(r, 'requeue', 'queued')
end
return 'OK'
