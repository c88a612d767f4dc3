-- Whether this fence may still write; changes nothing.
answers_record = false
local r, refused, detail = writable(A.id, A.fence)
if not r then return refused, detail end
return 'OK'
