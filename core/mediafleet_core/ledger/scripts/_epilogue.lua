-- A repeat of the same operation answers what the first one did; what changed nothing need not be remembered.
local memory = A.op and (P .. 'op:' .. A.op)
local status, detail
local first = memory and redis.call('GET', memory)
if first then
  local answer = cjson.decode(first)
  status, detail, A.id = answer[1], answer[2], answer[3]
else
  status, detail = main()
  if memory and written then
    redis.call('SET', memory, cjson.encode({status, detail or '', A.id or ''}), 'PX', CONSTANTS.operation)
  end
end
local record = {}
if A.id and A.id ~= '' then record = redis.call('HGETALL', record_key(A.id)) end
return {status, detail or '', record, extra, A.id or ''}
