-- Shared by every script, after the webhooks: a tenant's own list of what people should hear of, `notices:<tenant>`,
-- numbered from 1 and bounded, and the numbers that are not read yet. Members of a batch are told with their batch.
local function unread_key(tenant) return P .. 'unread:' .. tenant end

note = function(tenant, what, state, id, key)
  if what == 'upload' and state ~= 'FAILED' and state ~= 'EXPIRED' then return end
  local record = redis.call('HMGET', key, 'spec', 'batch', 'failure')
  if what == 'upload' and record[2] ~= '' then return end
  local list = P .. 'notices:' .. tenant
  local number = redis.call('INCR', list .. ':last')
  local entry = {'what', what, 'id', id, 'state', state, 'time', int(now),
    'name', cjson.decode(record[1]).display_name or ''}
  if what == 'batch' then
    local names = {}
    for name in pairs(TERMINAL) do names[#names + 1] = 'in:' .. name end
    for i, count in ipairs(redis.call('HMGET', key, unpack(names))) do
      entry[#entry + 1] = names[i]
      entry[#entry + 1] = count or '0'
    end
  elseif record[3] and record[3] ~= '' then
    entry[#entry + 1] = 'code'
    entry[#entry + 1] = cjson.decode(record[3]).code
  end
  redis.call('XADD', list, 'MAXLEN', CONSTANTS.notices, int(number) .. '-0', unpack(entry))
  redis.call('ZADD', unread_key(tenant), int(number), int(number))
  redis.call('ZREMRANGEBYSCORE', unread_key(tenant), '-inf', int(number - CONSTANTS.notices))
end
