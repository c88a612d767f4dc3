-- One page of a batch's members is cancelled or retried. The detail tells how many were so far, and whether that is all;
-- extra tells the kinds that have new work.
local b = load_batch(A.batch)
if not b then return 'BATCH_NOT_FOUND' end
local what = batch_get(b, 'sweep')
local swept, ring = num(batch_get(b, 'swept')), {}
if what ~= '' then
  local after = batch_get(b, 'sweep_after')
  local index = P .. 'idx:' .. batch_get(b, 'tenant') .. ':batch:' .. b.id
  local ids = redis.call('ZRANGEBYLEX', index, after == '' and '-' or '(' .. after, '+', 'LIMIT', 0, A.limit)
  for _, id in ipairs(ids) do
    local r = load(id)
    local state = get(r, 'state')
    if what == 'cancel' and not TERMINAL[state] and state ~= 'CANCELLING' then
      cancel_upload(r, batch_get(b, 'failure'))
      swept = swept + 1
    elseif what == 'retry' and state == 'FAILED' and get(r, 'original') ~= '' then
      retry_upload(r, num(batch_get(b, 'max_attempts')))
      ring[get(r, 'kind')] = true
      swept = swept + 1
    end
  end
  b = load_batch(A.batch)
  if #ids == A.limit then
    batch_set(b, 'sweep_after', ids[#ids], 'swept', int(swept))
    redis.call('ZADD', P .. 'batches_swept', int(now), b.id)
    what = 'more'
  else
    batch_set(b, 'swept', int(swept))
    end_sweep(b)
    settle_batch(b)
    what = ''
  end
end
for kind in pairs(ring) do extra[#extra + 1] = kind end
return 'OK', cjson.encode({swept, what == ''})
