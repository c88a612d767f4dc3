-- A batch as it is now: its own state changes, then the members at work, longest running first.
local b = load_batch(A.batch, A.tenant)
if not b then return 'BATCH_NOT_FOUND' end
extra = redis.call('LRANGE', batch_key(b.id) .. ':history', 0, -1)
local running = redis.call('ZRANGE', batch_key(b.id) .. ':running', 0, A.most - 1)
for _, id in ipairs(running) do extra[#extra + 1] = id end
return 'OK', cjson.encode({now, #running})
