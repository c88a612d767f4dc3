-- RECEIVING, QUEUED -> CANCELLED; PROCESSING -> CANCELLING.
local r = owned(A.id, A.tenant)
if not r then return 'UPLOAD_NOT_FOUND' end
local state = get(r, 'state')
if state == 'CANCELLED' or state == 'CANCELLING' then return 'OK' end
if state == 'EXPIRED' then return 'UPLOAD_EXPIRED' end
if TERMINAL[state] then return 'UPLOAD_TERMINAL', state end
cancel_upload(r, A.failure)
return 'OK'
