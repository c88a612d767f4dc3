-- A sweep ran: once more after the longest storage time-out, for writes that were under way.
local sweep = cjson.decode(A.token)
if redis.call('ZREM', P .. 'sweeps', A.token) == 0 then return 'OK' end
redis.call('SREM', P .. 'sweeps:' .. sweep[1], A.token)
if sweep[2] == 1 then
  sweep[2] = 2
  redis.call('ZADD', P .. 'sweeps', int(now + CONSTANTS.sweep_again), cjson.encode(sweep))
  -- What comes late is swept yet: for as long, whoever reconciles the bucket shall not wonder at it.
  redis.call('SET', P .. 'swept:' .. sweep[1], '', 'PX', int(CONSTANTS.sweep_again + CONSTANTS.sweep_slack))
end
return 'OK'
