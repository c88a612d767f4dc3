-- Work of this kind is handed out no more; of repeated pauses the first one's reason and time stand.
redis.call('HSETNX', P .. 'paused', A.kind, cjson.encode({reason = A.reason, time = now}))
return 'OK'
