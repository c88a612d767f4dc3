-- Sweeps that are due, or every one of one upload.
if A.upload then
  extra = redis.call('SMEMBERS', P .. 'sweeps:' .. A.upload)
else
  extra = redis.call('ZRANGEBYSCORE', P .. 'sweeps', '-inf', int(now), 'LIMIT', 0, A.limit)
end
return 'OK'
