-- Uploads past their time end; originals past their retention are dropped.
for _, id in ipairs(redis.call('ZRANGEBYSCORE', P .. 'expiry', '-inf', int(now), 'LIMIT', 0, A.limit)) do
  local r = load(id)
  set(r, 'failure', A.failure)
  discard_receiving(r)
  move(r, 'expire')
  extra[#extra + 1] = id
end
for _, id in ipairs(redis.call('ZRANGEBYSCORE', P .. 'retained', '-inf', int(now), 'LIMIT', 0, A.limit)) do
  local r = load(id)
  leave_retained(r)
  refund_original(r)
  plan_sweep(r, upload_prefix(r), false)
  save(r)
  extra[#extra + 1] = id
end
return 'OK'
