-- Jobs whose lease has ended go back to their queue; after an outage holders get one full lease to renew first.
local tick = P .. 'leases:tick'
local last = num(redis.call('GET', tick))
redis.call('SET', tick, int(now))
if now - last > A.lease / 2 then redis.call('SET', P .. 'leases:wait', int(now + A.lease)) end
if now < num(redis.call('GET', P .. 'leases:wait')) then return 'OK' end
for _, kind in ipairs(A.kinds) do
  for _, id in ipairs(redis.call('ZRANGEBYSCORE', P .. 'running:' .. kind, '-inf', int(now), 'LIMIT', 0, 200)) do
    local r = load(id)
    if not end_attempt(r) then
      set(r, 'lost', num(get(r, 'lost')) + 1)
      if num(get(r, 'lost')) >= A.most then
        set(r, 'failure', A.failure)
        give_up(r)
      else
        rejoin_waiting(r)
      end
    end
    extra[#extra + 1] = id
  end
end
return 'OK'
