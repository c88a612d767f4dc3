-- What these tenants and their collections store, and with A.bucket all of it, becomes the end of each step of time where
-- it has changed. A step without a point ended as the one before; so the newest point older than is kept stays.
local function sample(scope, key)
  local amounts = {stored_now(key)}
  for i, amount in ipairs(amounts) do amounts[i] = int(amount) end
  local value = table.concat(amounts, ' ')
  if redis.call('HGET', P .. 'sampled', scope) == value then return end
  redis.call('HSET', P .. 'sampled', scope, value)
  for _, step in ipairs(A.steps) do
    local points, start = P .. 'trend:' .. step.name .. ':' .. scope, int(step.start)
    redis.call('ZREMRANGEBYSCORE', points, start, start)
    redis.call('ZADD', points, start, start .. ' ' .. value)
    local oldest = int(step.start - step.kept)
    local needed = redis.call('ZREVRANGEBYSCORE', points, oldest, '-inf', 'WITHSCORES', 'LIMIT', 0, 1)
    if needed[2] then redis.call('ZREMRANGEBYSCORE', points, '-inf', '(' .. needed[2]) end
  end
end
if A.bucket then sample('', P .. 'usage') end
for _, tenant in ipairs(A.tenants) do
  local key = P .. 'usage:' .. tenant
  sample(tenant, key)
  for _, field in ipairs(redis.call('HKEYS', key)) do
    local collection = field:match('^c:(.*):size$')
    if collection then sample(tenant .. '/' .. collection, key .. '/' .. collection) end
  end
end
return 'OK'
