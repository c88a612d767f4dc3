-- No bytes follow those recorded: from here on every writer completes the same object.
local r, refused, detail = writable(A.id, A.fence)
if not r then return refused, detail end
set(r, 'sealed', '1')
save(r)
return 'OK'
