-- Record the multipart that the parts go to.
answers_record = false
local r, refused, detail = writable(A.id, A.fence)
if not r then return refused, detail end
set(r, 'multipart_key', A.key)
set(r, 'multipart_id', A.multipart_id)
save(r)
return 'OK'
