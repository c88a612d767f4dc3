-- Listed uploads, {id, bytes, objects} each, against their records: extra tells those that moved since A.run began, as
-- {id}, and those that differ, as {id, bytes, objects} of what is listed too much.
if redis.call('HGET', P .. 'reconciling', 'run') ~= A.run then return 'OVER' end
redis.call('PEXPIRE', P .. 'reconciling', A.lease)
redis.call('HINCRBY', P .. 'reconciling', 'listed', A.listed)
local UNDER_WAY = {RECEIVING = true, PROCESSING = true, CANCELLING = true}
local function leaving(id) return redis.call('EXISTS', P .. 'sweeps:' .. id, P .. 'swept:' .. id) > 0 end
for _, each in ipairs(A.uploads) do
  local id, size, objects = unpack(each)
  if redis.call('HEXISTS', P .. 'moved', id) == 1 then
    extra[#extra + 1] = cjson.encode({id})
  else
    local r = redis.call('HMGET', record_key(id), 'state', 'counted_original', 'counted_renditions', 'rendition_objects')
    local known_size, known_objects = counted(r[2], r[3], r[4])
    -- Without a record it was deleted, or has left the history and is counted as it is.
    if not r[1] and redis.call('EXISTS', P .. 'deleted:' .. id, P .. 'emptied:' .. id) == 0 then
      known_size, known_objects = size, objects
    end
    local expected = A.settled and size >= known_size and objects >= known_objects
      and (UNDER_WAY[r[1] or ''] or leaving(id))
    if (size ~= known_size or objects ~= known_objects) and not expected then
      extra[#extra + 1] = cjson.encode({id, int(size - known_size), int(objects - known_objects)})
    end
  end
end
return 'OK'
