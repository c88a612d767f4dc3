-- What came of the try A.try of a message: DELIVERED, GONE (never again), or FAILED (again after A.backoff, unless that
-- is later than A.patience after it was planned). The detail tells its state. A try that lost its lease changes nothing,
-- but what is delivered is delivered. What has no state has forgotten itself, or was no message; a state of another
-- version is none in which it has ended, and stays until it is given up here.
local id, tenant = A.message, A.tenant
local found = redis.pcall('HMGET', message_key(id), 'tries', 'since', 'state')
local ended = not found[3] or found[3] == 'DELIVERED' or found[3] == 'GIVEN_UP'
if not ended and A.outcome ~= 'DELIVERED' and num(found[1]) ~= A.try then return 'OK', 'PENDING' end
redis.call('ZREM', messages_key('sending', tenant), id)
local state = 'PENDING'
if ended then state = found[3] or 'GIVEN_UP'
elseif A.outcome == 'DELIVERED' then state = 'DELIVERED'
else
  local since = tonumber(found[2])
  if not (since and since <= now) then -- what has lost its time begins anew
    since = now
    redis.call('HSET', message_key(id), 'since', int(now))
  end
  if A.outcome == 'GONE' or now + A.backoff > since + A.patience then state = 'GIVEN_UP' end
end
if state == 'PENDING' then
  redis.call('ZADD', messages_key('outbox', tenant), int(now + A.backoff), id)
else
  if not ended then redis.call('HSET', message_key(id), 'state', state) end
  redis.call('ZREM', messages_key('outbox', tenant), id)
end
look_again(tenant, A.most)
return 'OK', state
