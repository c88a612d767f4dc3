-- How much work of each kind is due and may be done.
for _, kind in ipairs(A.kinds) do extra[#extra + 1] = claimable(kind) end
return 'OK'
