-- Extend a lease; set the latest progress, which never falls within a series. Harmless to repeat.
answers_record = false
local r = held(A.id, A.fence)
if not r then return 'LOST' end
redis.call('ZADD', queue_key(r, 'running'), int(now + A.lease), r.id)
if get(r, 'state') == 'CANCELLING' then return 'CANCELLING' end
if A.stage then
  local percent = math.min(A.percent, CONSTANTS.before_terminal)
  raise_percent(r, percent)
  set(r, 'work', string.format('%.1f', percent))
  set(r, 'stage', A.stage)
  set(r, 'units', A.units)
  save(r)
  publish_progress(r)
end
return 'HELD'
