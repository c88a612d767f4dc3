-- Shared by every script, after the batches: a record leaves everything that names it; what becomes of its fields, its
-- objects and its usage is up to the caller.
local function remove(r)
  unindex(r)
  leave_queues(r)
  leave_retained(r)
  for _, key in ipairs({'expiry', 'manifests'}) do redis.call('ZREM', P .. key, r.id) end
  leave_batch(r)
  append(r, 'deleted', get(r, 'state'))
  save(r)
  if get(r, 'request') ~= '' then
    redis.call('PEXPIRE', P .. 'request:' .. get(r, 'request'),
      int(math.max(1000, num(get(r, 'created')) + CONSTANTS.request - now)))
  end
  redis.call('DEL', record_key(r.id) .. ':parts', record_key(r.id) .. ':history')
end
