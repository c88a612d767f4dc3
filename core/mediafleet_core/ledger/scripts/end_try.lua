-- What came of the try A.try of a message: DELIVERED, GONE (never again), or FAILED (again after A.backoff, unless that
-- is later than A.patience after it was planned). The detail tells its state. A try that lost its lease changes nothing,
-- but what is delivered is delivered.
local id = A.message
local found = redis.call('HMGET', message_key(id), 'tenant', 'tries', 'since', 'state')
local tenant = found[1]
if not tenant then return 'OK', 'GIVEN_UP' end
if found[4] ~= 'PENDING' or A.outcome ~= 'DELIVERED' and num(found[2]) ~= A.try then return 'OK', found[4] end
redis.call('ZREM', messages_key('sending', tenant), id)
local state = 'PENDING'
if A.outcome == 'DELIVERED' then state = 'DELIVERED'
elseif A.outcome == 'GONE' or now + A.backoff > num(found[3]) + A.patience then state = 'GIVEN_UP' end
if state == 'PENDING' then
  redis.call('ZADD', messages_key('outbox', tenant), int(now + A.backoff), id)
else
  redis.call('HSET', message_key(id), 'state', state)
  redis.call('ZREM', messages_key('outbox', tenant), id)
end
look_again(tenant, A.most)
return 'OK', state
