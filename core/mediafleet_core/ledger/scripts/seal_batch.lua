-- OPEN -> SEALED, and on to a terminal state if every member is.
local b = load_batch(A.batch, A.tenant)
if not b then return 'BATCH_NOT_FOUND' end
seal_batch(b)
return 'OK'
