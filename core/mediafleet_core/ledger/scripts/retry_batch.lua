-- The failed members shall be tried again; `sweep_batch` queues them, and the first one opens the batch again.
local b = load_batch(A.batch, A.tenant)
if not b then return 'BATCH_NOT_FOUND' end
if is_being_cancelled(b.id) then return 'BATCH_NOT_FINISHED' end
if batch_get(b, 'sweep') ~= '' then return 'OK' end
if members(b, 'FAILED') > 0 then
  batch_set(b, 'max_attempts', int(A.max_attempts))
  start_sweep(b, 'retry')
else
  batch_set(b, 'swept', '0')
end
return 'OK'
