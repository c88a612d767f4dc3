-- A repeat of the same operation answers what the first one did; what changed nothing need not be remembered. A step is
-- about one upload (A.id) or one batch (A.batch), whose record goes with the answer.
local memory = A.op and (P .. 'op:' .. A.op)
local status, detail
local first = memory and redis.call('GET', memory)
local function about() return A.batch or A.id or '' end
if first then
  local answer = cjson.decode(first)
  status, detail = answer[1], answer[2]
  if A.batch then A.batch = answer[3] else A.id = answer[3] end
else
  status, detail = main()
  if memory and written then
    redis.call('SET', memory, cjson.encode({status, detail or '', about()}), 'PX', CONSTANTS.operation)
  end
end
local record = {}
if answers_record and about() ~= '' then
  record = redis.call('HGETALL', A.batch and batch_key(A.batch) or record_key(A.id))
end
-- Together with the record: read later they may be another writer's, or gone with the end of receiving.
if A.with_parts then extra = redis.call('LRANGE', record_key(A.id) .. ':parts', 0, -1) end
return {status, detail or '', record, extra, about(), appended}
