-- A terminal batch without members in the ledger goes, unless it changed since it was read.
local b = load_batch(A.batch)
if not b or num(batch_get(b, 'rev')) ~= A.revision or not BATCH_TERMINAL[batch_get(b, 'state')] then return 'KEPT' end
local index = P .. 'idx:' .. b.field.tenant .. ':'
if redis.call('EXISTS', index .. 'batch:' .. b.id) == 1 then return 'KEPT' end
local key = batch_key(b.id)
redis.call('DEL', key, key .. ':history', key .. ':running', key .. ':deleted')
redis.call('ZREM', index .. 'batches', b.id)
count_batch(batch_get(b, 'state'), '')
for _, list in ipairs({'batches_open', 'batches_swept'}) do redis.call('ZREM', P .. list, b.id) end
if batch_get(b, 'request') ~= '' then redis.call('DEL', P .. 'request:' .. batch_get(b, 'request')) end
written = true
return 'OK'
