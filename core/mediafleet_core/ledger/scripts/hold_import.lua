-- An import: who copies it, for A.hold milliseconds from now. A.fence is 0 for whoever asks to, and is answered 0 while
-- another one holds it, and when there is nothing left to copy.
local r, refused, detail = receiver(A.id, A.tenant, 'IMPORT')
if not r then return refused, detail end
if get(r, 'state') ~= 'RECEIVING' then return 'OK', '0' end
if A.fence == 0 then
  if num(get(r, 'held')) > now then return 'OK', '0' end
  set(r, 'fence', num(get(r, 'fence')) + 1)
  flow_on(r) -- the time in which nobody copied says nothing of the rate
elseif num(get(r, 'fence')) ~= A.fence then
  return 'CONCURRENT_WRITER', get(r, 'committed')
end
set(r, 'held', now + A.hold)
if A.committed > num(get(r, 'committed')) then commit_bytes(r, A.committed) else save(r) end
return 'OK', get(r, 'fence')
