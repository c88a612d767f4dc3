-- The attempt failed: a retry later, or the end; a cancel that waited for it is done.
local r = held(A.id, A.fence)
if not r then return 'LOST' end
if end_attempt(r) then return 'OK' end
add_attempt(r, A.record)
set(r, 'failed', num(get(r, 'failed')) + 1)
set(r, 'failure', A.failure)
set(r, 'max_attempts', A.attempts)
set(r, 'stage', A.stage)
if A.discard then
  refund_original(r)
  plan_sweep(r, upload_prefix(r), false)
  move(r, 'fail')
elseif num(get(r, 'failed')) < A.attempts then
  set(r, 'attempt', num(get(r, 'failed')) + 1)
  delay(r, A.backoff)
else
  give_up(r)
end
return 'OK'
