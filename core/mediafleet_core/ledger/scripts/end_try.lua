-- What came of the try A.try of a message: DELIVERED, GONE (never again), or FAILED (again after A.backoff, unless that
-- is later than A.patience after it was planned). The detail tells its state. A try that lost its lease changes nothing,
-- but what is delivered is delivered. What has no state has forgotten itself, or was no message.
local id, tenant = A.message, A.tenant
local found = redis.pcall('HMGET', message_key(id), 'tries', 'since', 'state')
if not found[3] then
  redis.call('ZREM', messages_key('sending', tenant), id)
  redis.call('ZREM', messages_key('outbox', tenant), id)
  look_again(tenant, A.most)
  return 'OK', 'GIVEN_UP'
end
if found[3] ~= 'PENDING' or A.outcome ~= 'DELIVERED' and num(found[1]) ~= A.try then return 'OK', found[3] end
redis.call('ZREM', messages_key('sending', tenant), id)
local state = 'PENDING'
if A.outcome == 'DELIVERED' then state = 'DELIVERED'
elseif A.outcome == 'GONE' or now + A.backoff > num(found[2]) + A.patience then state = 'GIVEN_UP' end
if state == 'PENDING' then
  redis.call('ZADD', messages_key('outbox', tenant), int(now + A.backoff), id)
else
  redis.call('HSET', message_key(id), 'state', state)
  redis.call('ZREM', messages_key('outbox', tenant), id)
end
look_again(tenant, A.most)
return 'OK', state
