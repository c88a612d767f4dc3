-- A durable part (A.part, A.last when no other may follow) in sequence, or the tail behind the last part (A.tail).
answers_record = false
local r, refused, detail = writable(A.id, A.fence)
if not r then return refused, detail end
local whole = num(get(r, 'whole'))
if A.offset ~= whole then return 'INTERNAL', 'part out of sequence' end
local committed = whole + A.size
if get(r, 'size') == '' then
  local more = committed - num(get(r, 'reserved'))
  if more > 0 then
    local exceeded = over_quota(get(r, 'tenant'), get(r, 'collection'), more, A.limits)
    if exceeded then return 'QUOTA_EXCEEDED', exceeded end
    reserve(r, committed)
  end
end
if A.part then
  redis.call('RPUSH', record_key(r.id) .. ':parts', A.part)
  set(r, 'whole', committed)
  set(r, 'next_number', A.number + 1)
  if A.last then set(r, 'sealed', '1') end
  -- The object of a covered tail stays until the end: a sweep of all tails could meet a newer one.
  set(r, 'tail', '')
else
  set(r, 'tail', A.tail)
end
commit_bytes(r, committed)
return 'OK', get(r, 'committed')
