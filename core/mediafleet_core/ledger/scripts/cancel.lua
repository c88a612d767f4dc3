-- RECEIVING, QUEUED -> CANCELLED; PROCESSING -> CANCELLING.
local r = owned(A.id, A.tenant)
if not r then return 'UPLOAD_NOT_FOUND' end
local state = get(r, 'state')
if state == 'CANCELLED' or state == 'CANCELLING' then return 'OK' end
if state == 'EXPIRED' then return 'UPLOAD_EXPIRED' end
if TERMINAL[state] then return 'UPLOAD_TERMINAL', state end
set(r, 'failure', A.failure)
if may(r, 'stop') then
  move(r, 'stop')
else
  if state == 'RECEIVING' then discard_receiving(r) end
  leave_queues(r)
  retain(r)
  move(r, 'cancel')
end
return 'OK'
