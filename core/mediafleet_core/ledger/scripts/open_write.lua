-- Take over writing with a new fence.
local r, refused, detail = receiver(A.id, A.tenant, 'STREAM')
if not r then return refused, detail end
if get(r, 'state') ~= 'RECEIVING' then return 'OK', '0' end
if A.offset > num(get(r, 'committed')) then return 'WRITE_OFFSET_AHEAD', get(r, 'committed') end
set(r, 'fence', num(get(r, 'fence')) + 1)
-- The old writer may still have parts in flight: never reuse their numbers.
if get(r, 'multipart_id') ~= '' then set(r, 'next_number', num(get(r, 'next_number')) + CONSTANTS.in_flight) end
flow_on(r) -- the time without a writer says nothing of the rate
save(r)
return 'OK', get(r, 'fence')
