-- QUEUED -> PROCESSING for the upload that is due longest among these kinds.
local function oldest()
  local found, since
  for _, kind in ipairs(A.kinds) do
    local waiting = P .. 'waiting:' .. kind
    for _, id in ipairs(redis.call('ZRANGEBYSCORE', P .. 'delayed:' .. kind, '-inf', int(now), 'LIMIT', 0, 100)) do
      redis.call('ZADD', waiting, redis.call('ZSCORE', P .. 'delayed:' .. kind, id), id)
      redis.call('ZREM', P .. 'delayed:' .. kind, id)
    end
    local head = redis.call('ZRANGE', waiting, 0, 0, 'WITHSCORES')
    if head[1] and (not since or num(head[2]) < since) then found, since = head[1], num(head[2]) end
  end
  return found, since
end
local id, since = oldest()
if not id then return 'NOTHING' end
local r = load(id)
set(r, 'fence', num(get(r, 'fence')) + 1)
set(r, 'attempt', num(get(r, 'failed')) + 1)
set(r, 'next', '')
set(r, 'worker', A.worker)
if get(r, 'started') == '' then set(r, 'started', now) end
redis.call('ZREM', queue_key(r, 'waiting'), id)
redis.call('ZADD', queue_key(r, 'running'), int(now + A.lease), id)
move(r, 'claim', 'fetch')
A.id = id
return 'OK', cjson.encode({get(r, 'fence'), int(now - since)})
