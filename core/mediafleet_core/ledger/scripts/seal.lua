-- No bytes follow those recorded: from here on every writer completes the same object.
answers_record = false
local r, refused, detail = writable(A.id, A.fence)
if not r then return refused, detail end
if A.parts then
  redis.call('DEL', record_key(r.id) .. ':parts')
  for _, part in ipairs(A.parts) do redis.call('RPUSH', record_key(r.id) .. ':parts', part) end
end
set(r, 'sealed', '1')
save(r)
return 'OK'
