-- Messages of a tenant that were planned after A.after and before A.before (milliseconds) are due again; with A.failed
-- only those that were tried and not delivered. A page at a time: extra has the place where the next begins, if any.
local key = messages_key('messages', A.tenant)
local low, high = '(' .. int(A.after), '(' .. int(A.before)
local rows = redis.call('ZRANGEBYSCORE', key, low, high, 'WITHSCORES', 'LIMIT', 0, A.limit)
local ids = {}
for i = 1, #rows, 2 do ids[#ids + 1] = rows[i] end
if #ids == A.limit then
  -- All of its last millisecond, so that the next page can begin behind it.
  local last = rows[#rows]
  for at = #ids, 1, -1 do if rows[2 * at] == last then ids[at] = nil end end
  for _, id in ipairs(redis.call('ZRANGEBYSCORE', key, last, last)) do ids[#ids + 1] = id end
  extra[1] = last
end
local count = 0
for _, id in ipairs(ids) do
  local found = redis.pcall('HMGET', message_key(id), 'state', 'tries')
  local tried = found[1] == 'GIVEN_UP' or found[1] == 'PENDING' and num(found[2]) > 0
  local under_way = redis.call('ZSCORE', messages_key('sending', A.tenant), id)
  if found[1] and (tried or not A.failed) and not under_way then
    redis.call('HSET', message_key(id), 'state', 'PENDING', 'since', int(now), 'before', int(num(found[2])))
    keep_message(id, A.tenant)
    post(id, A.tenant, now)
    count = count + 1
  end
end
return 'OK', int(count)
