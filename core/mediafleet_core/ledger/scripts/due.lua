-- The kinds of which work is due and may be done.
for _, kind in ipairs(A.kinds) do
  if claimable(kind) then extra[#extra + 1] = kind end
end
return 'OK'
