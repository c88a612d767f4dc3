-- Shared by every script, after the batches: webhook messages. They are planned in the step that makes the state which
-- they tell of, for tenants with a webhook of that type; the set of those pairs is what workers said when they started.
-- `message:<id>` forgets itself; `messages:<tenant>` has its ids by time, `outbox:<tenant>` those not delivered yet by
-- when they are due, `sending:<tenant>` those under way by the end of their lease, `outboxes` tenants by the next look.
local function message_key(id) return P .. 'message:' .. id end
local function messages_key(list, tenant) return P .. list .. ':' .. tenant end

local function keep_message(id, tenant)
  redis.call('PEXPIRE', message_key(id), CONSTANTS.messages)
  redis.call('PEXPIRE', messages_key('messages', tenant), CONSTANTS.messages)
end

local function post(id, tenant, due)
  redis.call('ZADD', messages_key('outbox', tenant), int(due), id)
  redis.call('ZADD', P .. 'outboxes', 'LT', int(due), tenant)
end

-- The record as it is now goes with the message: what is told later is what was true then. `since` is when it was
-- planned last, `before` counts the tries before that.
announce = function(tenant, what, state, id, sequence, key)
  local type = CONSTANTS.event .. what .. '.' .. string.lower(state)
  if redis.call('SISMEMBER', P .. 'webhooks', tenant .. ' ' .. type) == 0 then return end
  local message = id .. '-' .. sequence
  redis.call('HSET', message_key(message), 'type', type, 'subject', id, 'time', int(now), 'since', int(now),
    'tries', '0', 'before', '0', 'state', 'PENDING', 'record', cjson.encode(redis.call('HGETALL', key)))
  redis.call('ZREMRANGEBYSCORE', messages_key('messages', tenant), '-inf', int(now - CONSTANTS.messages))
  redis.call('ZADD', messages_key('messages', tenant), int(now), message)
  keep_message(message, tenant)
  post(message, tenant, now)
end

-- When to look into the tenant's outbox again, given room for `most` messages under way.
local function look_again(tenant, most)
  local next = redis.call('ZRANGE', messages_key('outbox', tenant), 0, 0, 'WITHSCORES')[2]
  if not next then
    redis.call('ZREM', P .. 'outboxes', tenant)
    return
  end
  local sending = messages_key('sending', tenant)
  if redis.call('ZCARD', sending) >= most then next = redis.call('ZRANGE', sending, 0, 0, 'WITHSCORES')[2] end
  -- Whoever was served last comes last among those that are due.
  redis.call('ZADD', P .. 'outboxes', int(math.max(num(next), now)), tenant)
end
