-- A caller wants a failed or cancelled upload to be tried again. Nothing happens where A.series is given and not the
-- latest.
local r = owned(A.id, A.tenant)
if not r then return 'UPLOAD_NOT_FOUND' end
if A.series and A.series ~= num(get(r, 'series')) then return 'OK' end
if get(r, 'state') == 'EXPIRED' then return 'UPLOAD_EXPIRED' end
if not may(r, 'retry') then
  return TERMINAL[get(r, 'state')] and 'UPLOAD_TERMINAL' or 'UPLOAD_NOT_FINISHED', get(r, 'state')
end
if get(r, 'original') == '' then return 'ORIGINAL_MISSING' end
if is_being_cancelled(get(r, 'batch')) then return 'BATCH_NOT_FINISHED' end
retry_upload(r, A.max_attempts)
return 'OK'
