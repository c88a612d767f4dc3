-- The bucket is to be reconciled, unless it is being reconciled, or that failed and A.patient waits; the detail is the
-- time.
local known = redis.call('HMGET', P .. 'reconciliation', 'time', 'tried')
local failed = num(known[1]) < num(known[2])
if redis.call('EXISTS', P .. 'reconciling') == 0 and not (failed and A.patient) then
  redis.call('HSET', P .. 'reconciliation', 'wanted', int(now))
end
return 'OK', int(now)
