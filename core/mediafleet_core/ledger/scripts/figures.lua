-- Figures of the whole, as JSON: each kind's queue, uploads by state, batches by state, usage of the bucket.
for _, kind in ipairs(A.kinds) do extra[#extra + 1] = queue_figures(kind) end
for _, name in ipairs({'states', 'batch_states', 'usage'}) do
  local flat, counts = redis.call('HGETALL', P .. name), {}
  for i = 1, #flat, 2 do counts[flat[i]] = flat[i + 1] end
  extra[#extra + 1] = cjson.encode(counts)
end
return 'OK', int(now)
