-- QUEUED -> PROCESSING for the upload that is due longest, of the first of these kinds that has any due.
local function next_due()
  for _, kind in ipairs(A.kinds) do
    local waiting = P .. 'waiting:' .. kind
    for _, id in ipairs(redis.call('ZRANGEBYSCORE', P .. 'delayed:' .. kind, '-inf', int(now), 'LIMIT', 0, 100)) do
      redis.call('ZADD', waiting, redis.call('ZSCORE', P .. 'delayed:' .. kind, id), id)
      redis.call('ZREM', P .. 'delayed:' .. kind, id)
    end
    local head = redis.call('ZRANGE', waiting, 0, 0, 'WITHSCORES')
    if head[1] then return head[1], num(head[2]) end
  end
end
local id, since = next_due()
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
return 'OK', cjson.encode({num(get(r, 'fence')), now - since, redis.call('ZCARD', queue_key(r, 'waiting'))})
