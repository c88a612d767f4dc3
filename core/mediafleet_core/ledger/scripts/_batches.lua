-- Shared by every script, after the prelude: a batch's books. They move in the same step as the member that moves them.
-- `in:<STATE>` counts members, deleted ones too; `ends` counts ends of members, repeated ones too, and t0, n0, t1, n1 are
-- two earlier moments of that count, from which readers tell how fast it grows.
local BATCH_TERMINAL = {SUCCEEDED = true, PARTIALLY_FAILED = true, FAILED = true, CANCELLED = true}
local RATE_WINDOW = 5000

local function batch_key(id) return P .. 'batch:' .. id end

local function load_batch(id, tenant)
  local flat = redis.call('HGETALL', batch_key(id))
  if #flat == 0 then return nil end
  local b = {id = id, field = {}}
  for i = 1, #flat, 2 do b.field[flat[i]] = flat[i + 1] end
  if tenant and b.field.tenant ~= tenant then return nil end
  return b
end
local function batch_get(b, name) return b.field[name] or '' end
local function batch_set(b, ...)
  local fields = {...}
  for i = 1, #fields, 2 do b.field[fields[i]] = fields[i + 1] end
  redis.call('HSET', batch_key(b.id), 'rev', int(num(batch_get(b, 'rev')) + 1), unpack(fields))
  b.field.rev = int(num(batch_get(b, 'rev')) + 1)
  written = true
end

-- Batches by state, as `states` counts uploads; '' is a batch that is not there.
local function count_batch(previous, target)
  if previous ~= '' then redis.call('HINCRBY', P .. 'batch_states', previous, -1) end
  if target ~= '' then redis.call('HINCRBY', P .. 'batch_states', target, 1) end
end

-- The only place that changes a batch's state; its own short history is what watchers are told.
local function move_batch(b, target)
  local previous, sequence = batch_get(b, 'state'), int(num(batch_get(b, 'seq')) + 1)
  local fields = {'state', target, 'seq', sequence, 'finished', BATCH_TERMINAL[target] and int(now) or ''}
  if previous == 'OPEN' and batch_get(b, 'sealed') == '' then
    fields[#fields + 1] = 'sealed'
    fields[#fields + 1] = int(now)
  end
  if target ~= 'OPEN' then redis.call('ZREM', P .. 'batches_open', b.id) end
  count_batch(previous, target)
  batch_set(b, unpack(fields))
  redis.call('RPUSH', batch_key(b.id) .. ':history', cjson.encode({sequence, previous, target, int(now)}))
  redis.call('LTRIM', batch_key(b.id) .. ':history', -CONSTANTS.history, -1)
  if BATCH_TERMINAL[target] then
    announce(b.field.tenant, 'batch', target, b.id, sequence, batch_key(b.id))
    note(b.field.tenant, 'batch', target, b.id, batch_key(b.id))
  end
end

local function members(b, ...)
  local count = 0
  for _, state in ipairs({...}) do count = count + num(batch_get(b, 'in:' .. state)) end
  return count
end

-- Terminal when it is sealed, every member is, and no sweep over its members is under way; not terminal any more when a
-- member is tried again.
local function settle_batch(b)
  local state = batch_get(b, 'state')
  if members(b, 'RECEIVING', 'QUEUED', 'PROCESSING', 'CANCELLING') > 0 then
    if BATCH_TERMINAL[state] then
      batch_set(b, 'cancelled', '')
      move_batch(b, 'SEALED')
    end
  elseif state == 'SEALED' and batch_get(b, 'sweep') == '' then
    local good, bad = members(b, 'SUCCEEDED'), members(b, 'FAILED', 'EXPIRED')
    if batch_get(b, 'cancelled') ~= '' or members(b, 'CANCELLED') > 0 and good + bad == 0 then
      move_batch(b, 'CANCELLED')
    elseif bad == 0 then move_batch(b, 'SUCCEEDED')
    elseif good == 0 then move_batch(b, 'FAILED')
    else move_batch(b, 'PARTIALLY_FAILED') end
  end
end

-- From its CancelBatch until its last member has ended.
local function is_being_cancelled(id)
  if id == '' then return false end
  local found = redis.call('HMGET', batch_key(id), 'cancelled', 'state')
  return (found[1] or '') ~= '' and not BATCH_TERMINAL[found[2]]
end

local function note_end(key)
  local ends = redis.call('HINCRBY', key, 'ends', 1)
  local last = redis.call('HMGET', key, 't1', 'n1')
  if not last[1] then
    redis.call('HSET', key, 't1', int(now), 'n1', ends)
  elseif now - num(last[1]) >= RATE_WINDOW then
    redis.call('HSET', key, 't0', last[1], 'n0', last[2], 't1', int(now), 'n1', ends)
  end
end

-- A member is now in `target`; it was in `previous`, or nowhere.
count_in_batch = function(r, previous, target)
  local id = get(r, 'batch')
  if id == '' then return end
  local key = batch_key(id)
  redis.call('HINCRBY', key, 'in:' .. target, 1)
  if previous then
    redis.call('HINCRBY', key, 'in:' .. previous, -1)
  else
    redis.call('ZADD', P .. 'batches_open', int(now), id)
  end
  if target == 'PROCESSING' then
    redis.call('ZADD', key .. ':running', int(now), r.id)
  elseif target ~= 'CANCELLING' and (previous == 'PROCESSING' or previous == 'CANCELLING') then
    redis.call('ZREM', key .. ':running', r.id)
  end
  if TERMINAL[target] then note_end(key) end
  if TERMINAL[target] or TERMINAL[previous] then settle_batch(load_batch(id)) end
end

local COUNTED = {committed = 'bytes_done', size = 'bytes_total'}
count_bytes_in_batch = function(r, name, value)
  if not COUNTED[name] or get(r, 'batch') == '' then return end
  local more = num(value) - num(get(r, name))
  if more ~= 0 then redis.call('HINCRBY', batch_key(get(r, 'batch')), COUNTED[name], int(more)) end
end

-- A deleted member keeps the row and the state that it had; one that was not over counts as cancelled.
local function leave_batch(r)
  local id, state = get(r, 'batch'), get(r, 'state')
  if id == '' then return end
  if not TERMINAL[state] then
    set(r, 'state', 'CANCELLED')
    set(r, 'finished', now)
  end
  local flat = {}
  for name, value in pairs(r.field) do
    flat[#flat + 1] = name
    flat[#flat + 1] = value
  end
  redis.call('HSET', batch_key(id) .. ':deleted', r.id, cjson.encode(flat))
  if not TERMINAL[state] then count_in_batch(r, state, 'CANCELLED') end
end

local function seal_batch(b)
  if batch_get(b, 'state') ~= 'OPEN' then return end
  move_batch(b, 'SEALED')
  settle_batch(b)
end

-- Members are cancelled or retried page by page; whoever continues it goes on where the last page ended.
local function start_sweep(b, what)
  batch_set(b, 'sweep', what, 'sweep_after', '', 'swept', '0')
  redis.call('ZADD', P .. 'batches_swept', int(now), b.id)
end
local function end_sweep(b)
  batch_set(b, 'sweep', '')
  redis.call('ZREM', P .. 'batches_swept', b.id)
end
