-- All that the ledger knows of one upload: the record, its own state changes, and its places in queues.
local r = owned(A.id, A.tenant)
if not r then return 'UPLOAD_NOT_FOUND' end
extra = redis.call('LRANGE', record_key(A.id) .. ':history', 0, -1)
local kind, tenant = get(r, 'kind'), get(r, 'tenant')
local serving = 0
for _, id in ipairs(redis.call('ZRANGE', P .. 'workers', 0, -1)) do
  local worker = redis.call('GET', P .. 'worker:' .. id)
  for _, served in ipairs(worker and cjson.decode(worker).kinds or {}) do
    if served == kind then serving = serving + 1 end
  end
end
local function score(list) return tonumber(redis.call('ZSCORE', queue_key(r, list), r.id) or nil) end
return 'OK', cjson.encode({
  now = now,
  attempts = get(r, 'attempts'),
  worker = get(r, 'worker'),
  lost = num(get(r, 'lost')),
  reserved = num(get(r, 'reserved')),
  lease_end = score('running'),
  due_since = score('waiting'),
  ahead = redis.call('ZRANK', line_of(r), r.id) or 0,
  waiting = redis.call('ZCARD', queue_key(r, 'waiting')),
  pause = cjson.decode(redis.call('HGET', P .. 'paused', kind) or 'null'),
  tenant_running = num(redis.call('HGET', queue_key(r, 'running_of'), tenant)),
  tenant_most = share_of(tenant).running[kind] or 0,
  workers = serving,
})
