-- QUEUED -> PROCESSING: of the first of these kinds that has any due, of its highest priority, of the tenant whose turn
-- it is, for the upload that is due longest. What belongs to a batch that is being cancelled starts no more.
local function join_due(kind)
  local delayed = P .. 'delayed:' .. kind
  local due = redis.call('ZRANGEBYSCORE', delayed, '-inf', int(now), 'WITHSCORES', 'LIMIT', 0, 100)
  for i = 1, #due, 2 do
    local of = redis.call('HMGET', record_key(due[i]), 'tenant', 'priority')
    redis.call('ZREM', delayed, due[i])
    enter_line({id = due[i], field = {kind = kind, tenant = of[1], priority = of[2]}}, due[i + 1])
  end
end
local function take_turn(kind)
  for _, priority in ipairs(PRIORITIES) do
    local turns = turns_key('turns', kind, priority)
    local turn = redis.call('ZRANGE', turns, 0, 0, 'WITHSCORES')
    if turn[1] then
      local tenant, at = turn[1], turn[2]
      redis.call('HSET', P .. 'clocks', kind .. ':' .. priority, at)
      redis.call('ZREMRANGEBYSCORE', turns_key('rests', kind, priority), '-inf', at)
      redis.call('ZADD', turns, exact(num(at) + 1 / share_of(tenant).weight), tenant)
      return redis.call('ZRANGE', line_key(kind, priority, tenant), 0, 0, 'WITHSCORES')
    end
  end
end
local function next_due()
  for _, kind in ipairs(A.kinds) do
    local any = redis.call('EXISTS', P .. 'waiting:' .. kind, P .. 'delayed:' .. kind) > 0
    if any and not is_paused(kind) then
      join_due(kind)
      local first = take_turn(kind)
      if first then return load(first[1]), first[2] end
    end
  end
end
local r, since = next_due()
local refused = 0
while r and refused < 100 and is_being_cancelled(get(r, 'batch')) do
  cancel_upload(r, redis.call('HGET', batch_key(get(r, 'batch')), 'failure'))
  refused = refused + 1
  r, since = next_due()
end
if not r or refused == 100 then return 'NOTHING' end
set(r, 'fence', num(get(r, 'fence')) + 1)
set(r, 'attempt', num(get(r, 'failed')) + 1)
set(r, 'next', '')
set(r, 'worker', A.worker)
if get(r, 'started') == '' then set(r, 'started', now) end
start_running(r, A.lease)
move(r, 'claim', 'fetch')
A.id = r.id
return 'OK', cjson.encode({num(get(r, 'fence')), now - num(since), claimable(get(r, 'kind'))})
