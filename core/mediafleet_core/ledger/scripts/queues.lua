-- Figures of each kind's queue, as JSON.
for _, kind in ipairs(A.kinds) do extra[#extra + 1] = queue_figures(kind) end
return 'OK', int(now)
