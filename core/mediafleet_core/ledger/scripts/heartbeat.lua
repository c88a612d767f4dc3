-- A worker gives a sign of life, which counts for A.expiry.
redis.call('ZADD', P .. 'workers', int(now), A.id)
redis.call('SET', P .. 'worker:' .. A.id, A.worker, 'PX', A.expiry)
redis.call('ZREMRANGEBYSCORE', P .. 'workers', '-inf', int(now - A.expiry))
A.id = ''
return 'OK'
