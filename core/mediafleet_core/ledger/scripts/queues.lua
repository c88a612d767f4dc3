-- Figures of each kind's queue, as JSON.
for _, kind in ipairs(A.kinds) do
  local waiting, delayed = P .. 'waiting:' .. kind, P .. 'delayed:' .. kind
  local retries = redis.call('ZCOUNT', delayed, '-inf', int(now))
  local since = redis.call('ZRANGE', waiting, 0, 0, 'WITHSCORES')[2]
  if retries > 0 then
    since = math.min(num(since or now), num(redis.call('ZRANGE', delayed, 0, 0, 'WITHSCORES')[2]))
  end
  extra[#extra + 1] = cjson.encode({
    waiting = redis.call('ZCARD', waiting) + retries,
    running = redis.call('ZCARD', P .. 'running:' .. kind),
    delayed = redis.call('ZCARD', delayed) - retries,
    dead = redis.call('SCARD', P .. 'dead:' .. kind),
    oldest = since and now - num(since) or nil,
    pause = cjson.decode(redis.call('HGET', P .. 'paused', kind) or 'null'),
  })
end
return 'OK', int(now)
