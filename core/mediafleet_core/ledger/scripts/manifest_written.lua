-- The manifest of this revision stands; a newer revision needs another.
answers_record = false
if redis.call('HGET', record_key(A.id), 'rev') == int(A.revision) then redis.call('ZREM', P .. 'manifests', A.id) end
return 'OK'
