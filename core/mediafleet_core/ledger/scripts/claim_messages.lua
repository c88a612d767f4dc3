-- Webhook messages that are due, each held for a lease: up to A.limit, and A.most of one tenant under way at once. The
-- detail tells how many messages of these tenants are not delivered yet; UNTOLD that nobody has said what is wanted.
local pending, served, left = 0, {}, A.limit
for _, tenant in ipairs(A.tenants) do
  pending = pending + redis.call('ZCARD', messages_key('outbox', tenant))
  served[tenant] = true
end
for _, tenant in ipairs(redis.call('ZRANGEBYSCORE', P .. 'outboxes', '-inf', int(now))) do
  if left <= 0 then break end
  if served[tenant] then
    local outbox, sending = messages_key('outbox', tenant), messages_key('sending', tenant)
    redis.call('ZREMRANGEBYSCORE', sending, '-inf', int(now))
    local room = math.min(left, A.most - redis.call('ZCARD', sending))
    local due = room > 0 and redis.call('ZRANGEBYSCORE', outbox, '-inf', int(now), 'LIMIT', 0, room) or {}
    for _, id in ipairs(due) do
      if redis.call('EXISTS', message_key(id)) == 0 then
        redis.call('ZREM', outbox, id)
      else
        redis.call('ZADD', outbox, int(now + A.lease), id)
        redis.call('ZADD', sending, int(now + A.lease), id)
        local number = redis.pcall('HINCRBY', message_key(id), 'tries', 1)
        if type(number) ~= 'number' then -- what has lost count begins anew
          local set = redis.pcall('HSET', message_key(id), 'tries', '1', 'before', '0')
          number = type(set) == 'number' and 1 or set
        end
        -- What is no message holds up no other.
        local counted = type(number) == 'number'
        local fields = counted and redis.call('HGETALL', message_key(id)) or {'problem', number.err}
        extra[#extra + 1] = cjson.encode({tenant, id, int(counted and number or 0), fields})
        left = left - 1
      end
    end
    look_again(tenant, A.most)
  end
end
return redis.call('EXISTS', P .. 'webhooks') == 1 and 'OK' or 'UNTOLD', int(pending)
