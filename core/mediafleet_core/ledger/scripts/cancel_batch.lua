-- From here on no member starts; `sweep_batch` ends those that are not over.
local b = load_batch(A.batch, A.tenant)
if not b then return 'BATCH_NOT_FOUND' end
local state = batch_get(b, 'state')
-- A retry that has not reached a member yet never does.
if BATCH_TERMINAL[state] and batch_get(b, 'sweep') ~= '' then end_sweep(b) end
if state == 'CANCELLED' or is_being_cancelled(b.id) then return 'OK' end
if BATCH_TERMINAL[state] then return 'BATCH_TERMINAL', state end
batch_set(b, 'cancelled', '1', 'failure', A.failure)
start_sweep(b, 'cancel')
seal_batch(b)
return 'OK'
