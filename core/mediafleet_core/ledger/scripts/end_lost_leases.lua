-- Jobs whose lease has ended go back to their queue; after an outage holders get one full lease to renew first.
note_reached(A.lease)
if now < num(redis.call('GET', P .. 'leases:wait')) then return 'OK' end
for _, kind in ipairs(A.kinds) do
  for _, id in ipairs(redis.call('ZRANGEBYSCORE', P .. 'running:' .. kind, '-inf', int(now), 'LIMIT', 0, 200)) do
    lose(load(id))
    extra[#extra + 1] = id
  end
end
return 'OK'
