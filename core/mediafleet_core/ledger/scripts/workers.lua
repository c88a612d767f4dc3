-- Each worker's last sign of life, and its time.
local ids = redis.call('ZRANGE', P .. 'workers', 0, -1, 'WITHSCORES')
for i = 1, #ids, 2 do
  local worker = redis.call('GET', P .. 'worker:' .. ids[i])
  if worker then
    extra[#extra + 1] = worker
    extra[#extra + 1] = ids[i + 1]
  end
end
return 'OK'
