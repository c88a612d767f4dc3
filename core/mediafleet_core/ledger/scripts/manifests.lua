-- Committed uploads whose worker had its time to write the manifest.
extra = redis.call('ZRANGEBYSCORE', P .. 'manifests', '-inf', int(now - A.grace), 'LIMIT', 0, A.limit)
return 'OK'
