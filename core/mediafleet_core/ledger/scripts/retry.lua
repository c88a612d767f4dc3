-- FAILED, CANCELLED -> QUEUED in a new series; the history of attempts stays.
local r = owned(A.id, A.tenant)
if not r then return 'UPLOAD_NOT_FOUND' end
if get(r, 'state') == 'EXPIRED' then return 'UPLOAD_EXPIRED' end
if not may(r, 'retry') then
  return TERMINAL[get(r, 'state')] and 'UPLOAD_TERMINAL' or 'UPLOAD_NOT_FINISHED', get(r, 'state')
end
if get(r, 'original') == '' then return 'ORIGINAL_MISSING' end
leave_retained(r)
for _, name in ipairs({'failed', 'lost'}) do set(r, name, 0) end
for _, name in ipairs({'failure', 'finished', 'started', 'next'}) do set(r, name, '') end
set(r, 'series', num(get(r, 'series')) + 1)
set(r, 'attempt', 1)
set(r, 'max_attempts', A.max_attempts)
set(r, 'percent', CONSTANTS.received)
set(r, 'work', CONSTANTS.received)
join_waiting(r)
move(r, 'retry', 'queued')
return 'OK'
