-- The bucket is to be compared, unless it is being compared, or that failed and A.patient waits; the detail is the time.
local known = redis.call('HMGET', P .. 'reconciliation', 'time', 'tried')
local failed = num(known[1]) < num(known[2])
if redis.call('EXISTS', P .. 'comparing') == 0 and not (failed and A.patient) then
  redis.call('HSET', P .. 'reconciliation', 'wanted', int(now))
end
return 'OK', int(now)
