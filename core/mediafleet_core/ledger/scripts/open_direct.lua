-- A direct upload: the one multipart of its parts, named by whoever began one first; how much of it is durable.
local r, refused, detail = receiver(A.id, A.tenant, 'DIRECT')
if not r then return refused, detail end
if get(r, 'state') ~= 'RECEIVING' then return 'OK', '0' end
if A.multipart_id and get(r, 'multipart_id') == '' then
  set(r, 'fence', 1)
  set(r, 'multipart_key', A.key)
  set(r, 'multipart_id', A.multipart_id)
  set(r, 'part_size', A.part_size)
  save(r)
end
if A.committed and A.committed > num(get(r, 'committed')) then commit_bytes(r, A.committed) end
return 'OK', '1'
