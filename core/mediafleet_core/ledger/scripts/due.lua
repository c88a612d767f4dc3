-- How much work of each kind could be claimed now.
for _, kind in ipairs(A.kinds) do
  extra[#extra + 1] = redis.call('ZCARD', P .. 'waiting:' .. kind)
    + redis.call('ZCOUNT', P .. 'delayed:' .. kind, '-inf', int(now))
end
return 'OK'
