-- RECEIVING -> FAILED: the bytes are not what the caller declared.
local r, refused, detail = writable(A.id, A.fence)
if not r then return refused, detail end
set(r, 'failure', A.failure)
discard_receiving(r)
set(r, 'expires', '')
move(r, 'reject')
return 'OK'
