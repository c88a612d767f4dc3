-- A reconciliation begins if one is due: at its time, some time after one that failed, or when one is wanted. From here
-- on add_usage() notes what moves. The detail is what is counted now.
local known = redis.call('HMGET', P .. 'reconciliation', 'time', 'tried', 'wanted', 'keys')
local time, tried, wanted, keys = num(known[1]), num(known[2]), num(known[3]), num(known[4])
if redis.call('EXISTS', P .. 'reconciling') == 1 then return 'BUSY' end
if wanted <= tried and now - tried < (time < tried and A.again or A.every) then return 'EARLY' end
local original_size, originals, rendition_size, renditions = stored_now(P .. 'usage')
redis.call('DEL', P .. 'moved')
redis.call('HSET', P .. 'reconciling', 'run', A.run, 'began', int(now), 'listed', 0,
  'expected', int(math.max(keys, originals + renditions)))
redis.call('PEXPIRE', P .. 'reconciling', A.lease)
redis.call('HSET', P .. 'reconciliation', 'tried', int(now))
return 'OK', int(original_size + rendition_size) .. ' ' .. int(originals + renditions)
