-- OPEN batches that nothing joined for long are sealed; extra tells those whose sweep nobody continues.
for _, id in ipairs(redis.call('ZRANGEBYSCORE', P .. 'batches_open', '-inf', int(now - A.idle), 'LIMIT', 0, A.limit)) do
  seal_batch(load_batch(id))
end
extra = redis.call('ZRANGEBYSCORE', P .. 'batches_swept', '-inf', int(now - A.patience), 'LIMIT', 0, A.limit)
return 'OK'
