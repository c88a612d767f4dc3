-- The sandbox was lost with the job in it; see lose() for what becomes of it.
local r = held(A.id, A.fence)
if not r then return 'LOST' end
lose(r)
return 'OK'
