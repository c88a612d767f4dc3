-- Operations of tenants, and of nobody (''), join those of each step of time, and of the bucket in all.
local function add(step, scope, a, b)
  redis.call('HINCRBY', step.key, scope .. ':A', int(a))
  redis.call('HINCRBY', step.key, scope .. ':B', int(b))
end
for _, step in ipairs(A.steps) do
  step.key = P .. 'operations:' .. step.name .. ':' .. int(step.start)
  for _, each in ipairs(A.counts) do
    local tenant, a, b = unpack(each)
    if tenant ~= '' then add(step, tenant, a, b) end
    add(step, '', a, b)
  end
  redis.call('PEXPIRE', step.key, int(step.kept))
end
written = true
return 'OK'
