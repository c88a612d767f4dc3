-- Housekeeping is done by one owner at a time; who only asks shows that workers reach the ledger.
note_reached(A.job_lease)
local key = P .. 'housekeeper'
local owner = redis.call('GET', key)
if owner and owner ~= A.owner then return 'NO' end
redis.call('SET', key, A.owner, 'PX', A.lease)
return 'OK'
