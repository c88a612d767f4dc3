-- A drain gives the job back: no attempt is counted, it is the first in its queue again.
local r = held(A.id, A.fence)
if not r then return 'LOST' end
if not end_attempt(r) then rejoin_waiting(r) end
return 'OK'
