-- Shared by every script. ARGV[1]: key prefix. ARGV[2]: arguments as JSON. TRANSITIONS, TERMINAL, KINDS, PRIORITIES
-- (the first goes first) and CONSTANTS are generated from Python and stand above this text. Every script defines main()
-- and returns {status, detail, record, extra}.
local P = ARGV[1]
local A = cjson.decode(ARGV[2])
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
local extra = {}
local written = false
local appended = ''
local answers_record = true

local function int(number) return string.format('%.0f', number) end
local function exact(number) return string.format('%.17g', number) end
local function num(text) return tonumber(text) or 0 end
local function record_key(id) return P .. 'u:' .. id end

-- A record under work: read once, changed through set(), written back by save() with its changed fields only.
local function load(id)
  local flat = redis.call('HGETALL', record_key(id))
  if #flat == 0 then return nil end
  local r = {id = id, field = {}, dirty = {}}
  for i = 1, #flat, 2 do r.field[flat[i]] = flat[i + 1] end
  return r
end

local function get(r, name) return r.field[name] or '' end

local count_bytes_in_batch, count_in_batch -- see _batches.lua
local announce, note -- see _webhooks.lua and _notices.lua

local function set(r, name, value)
  if type(value) == 'number' then value = int(value) end
  if r.field[name] ~= value then
    count_bytes_in_batch(r, name, value)
    r.field[name] = value
    r.dirty[name] = true
  end
end

local function save(r)
  set(r, 'rev', num(get(r, 'rev')) + 1)
  local args = {}
  for name in pairs(r.dirty) do
    args[#args + 1] = name
    args[#args + 1] = r.field[name]
  end
  redis.call('HSET', record_key(r.id), unpack(args))
  r.dirty = {}
  written = true
end

-- Percent carries one decimal and never falls within a series.
local function raise_percent(r, percent)
  if percent > num(get(r, 'percent')) then set(r, 'percent', string.format('%.1f', percent)) end
end

-- Usage and reservations: the bucket, the tenant and the collection move together.
local function usage_keys(r)
  local keys = {P .. 'usage', P .. 'usage:' .. get(r, 'tenant')}
  if get(r, 'collection') ~= '' then
    keys[3] = P .. 'usage:' .. get(r, 'tenant') .. '/' .. get(r, 'collection')
  end
  return keys
end

local function counted(original, renditions, objects)
  local size = num(original) + num(renditions)
  return size, num(objects) + (original and original ~= '' and 1 or 0)
end

-- While the bucket is reconciled, what was counted of an upload before its usage first moved is noted.
local function note_moved(r)
  if redis.call('EXISTS', P .. 'reconciling') == 0 then return end
  local size, objects = counted(get(r, 'counted_original'), get(r, 'counted_renditions'), get(r, 'rendition_objects'))
  redis.call('HSETNX', P .. 'moved', r.id, int(size) .. ' ' .. int(objects))
end

-- kind of object: 'o' for originals, 'r' for renditions. To be called before the record says what is counted of it.
local function add_usage(r, what, size, objects)
  if size == 0 and objects == 0 then return end
  note_moved(r)
  local field = what .. ':' .. get(r, 'kind')
  for _, key in ipairs(usage_keys(r)) do
    redis.call('HINCRBY', key, field .. ':size', int(size))
    redis.call('HINCRBY', key, field .. ':objects', int(objects))
    redis.call('HINCRBY', key, 'size', int(size))
  end
  if get(r, 'collection') ~= '' then
    local tenant = P .. 'usage:' .. get(r, 'tenant')
    redis.call('HINCRBY', tenant, 'c:' .. get(r, 'collection') .. ':size', int(size))
    redis.call('HINCRBY', tenant, 'c:' .. get(r, 'collection') .. ':objects', int(objects))
  end
end

-- Bytes and objects of the originals and of the renditions, of all kinds, that are counted under a key.
local function stored_now(key)
  local flat, sums = redis.call('HGETALL', key), {o = {size = 0, objects = 0}, r = {size = 0, objects = 0}}
  for i = 1, #flat, 2 do
    local what, count = flat[i]:match('^([or]):%u+:(%l+)$')
    if what then sums[what][count] = sums[what][count] + num(flat[i + 1]) end
  end
  return sums.o.size, sums.o.objects, sums.r.size, sums.r.objects
end

local function count_original(r, size)
  add_usage(r, 'o', size, 1)
  set(r, 'counted_original', size)
end

local function refund_original(r)
  if get(r, 'counted_original') ~= '' then
    add_usage(r, 'o', -num(get(r, 'counted_original')), -1)
    set(r, 'counted_original', '')
  end
  set(r, 'original', '')
end

local function refund_renditions(r)
  add_usage(r, 'r', -num(get(r, 'counted_renditions')), -num(get(r, 'rendition_objects')))
  set(r, 'counted_renditions', 0)
  set(r, 'rendition_objects', 0)
end

local function reserve(r, size)
  local change = size - num(get(r, 'reserved'))
  if change == 0 then return end
  for _, key in ipairs(usage_keys(r)) do redis.call('HINCRBY', key, 'reserved', int(change)) end
  set(r, 'reserved', size)
end

-- nil, or the id, limit and use of the quota that `more` bytes would exceed.
local function over_quota(tenant, collection, more, limits)
  local scopes = {{'tenant_bytes', P .. 'usage:' .. tenant, limits.tenant}}
  if collection ~= '' then
    scopes[2] = {'collection_bytes', P .. 'usage:' .. tenant .. '/' .. collection, limits.collection}
  end
  for _, scope in ipairs(scopes) do
    local used = redis.call('HMGET', scope[2], 'size', 'reserved')
    local total = num(used[1]) + num(used[2])
    if total + more > scope[3] then return cjson.encode({scope[1], int(scope[3]), int(total)}) end
  end
  return nil
end

-- Indexes: score 0, members are UUIDv7 text, so that lexical order is order of creation.
local function index_key(r, name) return P .. 'idx:' .. get(r, 'tenant') .. ':' .. name end
local function index_keys(r)
  local keys = {index_key(r, 'all'), index_key(r, 'state:' .. get(r, 'state')), index_key(r, 'kind:' .. get(r, 'kind'))}
  for _, name in ipairs({'collection', 'batch'}) do
    if get(r, name) ~= '' then keys[#keys + 1] = index_key(r, name .. ':' .. get(r, name)) end
  end
  return keys
end

local function index(r)
  for _, key in ipairs(index_keys(r)) do redis.call('ZADD', key, 0, r.id) end
  redis.call('HINCRBY', P .. 'states', get(r, 'state'), 1)
end

local function unindex(r)
  for _, key in ipairs(index_keys(r)) do redis.call('ZREM', key, r.id) end
  redis.call('HINCRBY', P .. 'states', get(r, 'state'), -1)
end

-- What every event tells of its upload, and what a state change tells besides.
local TOLD = {'tenant', 'seq', 'state', 'collection', 'batch', 'kind', 'series', 'percent', 'work', 'stage', 'attempt',
  'committed', 'size'}
local CHANGED = {'max_attempts', 'next', 'failure', 'attempts'}

-- One entry of the event log, and of the record's own short history, which leaves out what is empty. The stream does
-- not: entries of equal fields take less memory there.
local function append(r, what, previous)
  set(r, 'seq', num(get(r, 'seq')) + 1)
  local entry = {'id', r.id, 'what', what, 'previous', previous, 'time', int(now)}
  local told = {unpack(entry)}
  for _, names in ipairs({TOLD, CHANGED}) do
    for _, name in ipairs(names) do
      entry[#entry + 1] = name
      entry[#entry + 1] = get(r, name)
      if get(r, name) ~= '' then
        told[#told + 1] = name
        told[#told + 1] = get(r, name)
      end
    end
  end
  local at = redis.call('XADD', P .. 'events', 'MAXLEN', '~', CONSTANTS.events, '*', unpack(entry))
  appended = at
  redis.call('RPUSH', record_key(r.id) .. ':history', at .. ' ' .. cjson.encode(told))
  redis.call('LTRIM', record_key(r.id) .. ':history', -CONSTANTS.history, -1)
end

local function publish_progress(r)
  local message = {id = r.id, time = int(now), units = get(r, 'units'), flow = get(r, 'flow')}
  for _, name in ipairs(TOLD) do message[name] = get(r, name) end
  redis.call('PUBLISH', P .. 'progress', cjson.encode(message))
end

local function may(r, transition) return TRANSITIONS[transition].from[get(r, 'state')] == true end

-- The only place that changes a state; the caller has asked may().
local function move(r, transition, stage)
  local previous, target = get(r, 'state'), TRANSITIONS[transition].target
  assert(TRANSITIONS[transition].from[previous], 'illegal transition ' .. transition .. ' from ' .. previous)
  redis.call('ZREM', index_key(r, 'state:' .. previous), r.id)
  redis.call('ZADD', index_key(r, 'state:' .. target), 0, r.id)
  redis.call('HINCRBY', P .. 'states', previous, -1)
  redis.call('HINCRBY', P .. 'states', target, 1)
  set(r, 'state', target)
  set(r, 'units', '')
  if stage then set(r, 'stage', stage) end
  if TERMINAL[target] then
    set(r, 'percent', '100')
    if target == 'SUCCEEDED' then set(r, 'work', '100') end
    set(r, 'finished', now)
    set(r, 'next', '')
  end
  append(r, 'state', previous)
  save(r)
  if TERMINAL[target] then
    announce(get(r, 'tenant'), 'upload', target, r.id, get(r, 'seq'), record_key(r.id))
    note(get(r, 'tenant'), 'upload', target, r.id, record_key(r.id))
  end
  count_in_batch(r, previous, target)
end

-- Queues of one kind: waiting by time of entry, delayed by due time, running by end of lease. What waits also stands in
-- a line, one for each priority and tenant. Tenants take turns, by virtual time: `turns` has those with a line who may
-- run more, each claim moves its tenant on by 1 / weight. Who leaves ahead of the clock (the time of the last claim)
-- rests there until it catches up, and who comes joins at the clock: neither coming nor idling earns anything.
local function queue_key(r, list) return P .. list .. ':' .. get(r, 'kind') end
local function turns_key(list, kind, priority) return P .. list .. ':' .. kind .. ':' .. priority end
local function line_key(kind, priority, tenant) return turns_key('line', kind, priority) .. ':' .. tenant end
local function line_of(r) return line_key(get(r, 'kind'), get(r, 'priority'), get(r, 'tenant')) end

-- {weight, running = {kind = most at once}} as the tenant's limits said last.
local function share_of(tenant)
  local share = redis.call('HGET', P .. 'shares', tenant)
  return cjson.decode(share or CONSTANTS.share)
end

-- Whatever changes a line, a running count or a limit lets the tenant take part in turns, or not, by this.
local function take_part(kind, tenant)
  local most = share_of(tenant).running[kind]
  local full = most and num(redis.call('HGET', P .. 'running_of:' .. kind, tenant)) >= most
  for _, priority in ipairs(PRIORITIES) do
    local turns, rests = turns_key('turns', kind, priority), turns_key('rests', kind, priority)
    local at = redis.call('ZSCORE', turns, tenant)
    if full or redis.call('EXISTS', line_key(kind, priority, tenant)) == 0 then
      if at then
        redis.call('ZREM', turns, tenant)
        redis.call('ZADD', rests, at, tenant)
      end
    elseif not at then
      local clock = num(redis.call('HGET', P .. 'clocks', kind .. ':' .. priority))
      redis.call('ZADD', turns, exact(math.max(clock, num(redis.call('ZSCORE', rests, tenant)))), tenant)
      redis.call('ZREM', rests, tenant)
    end
  end
end

local function learn_share(tenant, share)
  if (redis.call('HGET', P .. 'shares', tenant) or CONSTANTS.share) == share then return end
  redis.call('HSET', P .. 'shares', tenant, share)
  for _, kind in ipairs(KINDS) do take_part(kind, tenant) end
end

local function enter_line(r, since)
  redis.call('ZADD', queue_key(r, 'waiting'), since, r.id)
  redis.call('ZADD', line_of(r), since, r.id)
  take_part(get(r, 'kind'), get(r, 'tenant'))
end
local function join_waiting(r)
  set(r, 'queued', now)
  enter_line(r, int(now))
end
local function rejoin_waiting(r)
  enter_line(r, get(r, 'queued'))
  move(r, 'requeue', 'queued')
end
local function start_running(r, lease)
  redis.call('ZREM', queue_key(r, 'waiting'), r.id)
  redis.call('ZREM', line_of(r), r.id)
  redis.call('ZADD', queue_key(r, 'running'), int(now + lease), r.id)
  redis.call('HINCRBY', queue_key(r, 'running_of'), get(r, 'tenant'), 1)
  take_part(get(r, 'kind'), get(r, 'tenant'))
end
local function leave_queues(r)
  redis.call('ZREM', queue_key(r, 'waiting'), r.id)
  redis.call('ZREM', line_of(r), r.id)
  redis.call('ZREM', queue_key(r, 'delayed'), r.id)
  if redis.call('ZREM', queue_key(r, 'running'), r.id) == 1
    and redis.call('HINCRBY', queue_key(r, 'running_of'), get(r, 'tenant'), -1) <= 0 then
    redis.call('HDEL', queue_key(r, 'running_of'), get(r, 'tenant'))
  end
  take_part(get(r, 'kind'), get(r, 'tenant'))
end

local function is_paused(kind) return redis.call('HEXISTS', P .. 'paused', kind) == 1 end

-- Whether any is due, of a kind that is not paused and of a tenant that may run more.
local function claimable(kind)
  if is_paused(kind) then return false end
  for _, priority in ipairs(PRIORITIES) do
    if redis.call('EXISTS', turns_key('turns', kind, priority)) == 1 then return true end
  end
  return redis.call('ZCOUNT', P .. 'delayed:' .. kind, '-inf', int(now)) > 0
end

-- The figures of a kind's queue, as JSON.
local function queue_figures(kind)
  local waiting, delayed = P .. 'waiting:' .. kind, P .. 'delayed:' .. kind
  local retries = redis.call('ZCOUNT', delayed, '-inf', int(now))
  local since = redis.call('ZRANGE', waiting, 0, 0, 'WITHSCORES')[2]
  if retries > 0 then
    since = math.min(num(since or now), num(redis.call('ZRANGE', delayed, 0, 0, 'WITHSCORES')[2]))
  end
  return cjson.encode({
    waiting = redis.call('ZCARD', waiting) + retries,
    running = redis.call('ZCARD', P .. 'running:' .. kind),
    delayed = redis.call('ZCARD', delayed) - retries,
    dead = redis.call('SCARD', P .. 'dead:' .. kind),
    oldest = since and now - num(since) or nil,
    pause = cjson.decode(redis.call('HGET', P .. 'paused', kind) or 'null'),
  })
end

-- Objects that no record names any more. run 1 is due at once, run 2 after the longest storage time-out.
local function plan_sweep(r, prefix, multipart, keep)
  local token = cjson.encode({r.id, 1, prefix, multipart and get(r, 'multipart_key') or '',
    multipart and get(r, 'multipart_id') or '', keep or ''})
  redis.call('ZADD', P .. 'sweeps', int(now), token)
  redis.call('SADD', P .. 'sweeps:' .. r.id, token)
end
local function upload_prefix(r) return CONSTANTS.root .. get(r, 'tenant') .. '/' .. r.id .. '/' end
local function attempt_prefix(r) return upload_prefix(r) .. 'r/' .. get(r, 'fence') .. '/' end

-- An end before the original was durable: give back the reservation, sweep whatever was written.
local function discard_receiving(r)
  reserve(r, 0)
  redis.call('ZREM', P .. 'expiry', r.id)
  redis.call('DEL', record_key(r.id) .. ':parts')
  plan_sweep(r, upload_prefix(r), true)
end

-- The original of a FAILED or CANCELLED upload is kept for a retry, for a while.
local function retain(r)
  if get(r, 'original') == '' then
    set(r, 'expires', '')
  else
    set(r, 'expires', now + CONSTANTS.retention)
    redis.call('ZADD', P .. 'retained', get(r, 'expires'), r.id)
  end
end

-- A FAILED upload that is kept counts as dead in its queue, until it is retried, dropped or deleted.
local function give_up(r)
  retain(r)
  redis.call('SADD', queue_key(r, 'dead'), r.id)
  move(r, 'fail')
end
local function leave_retained(r)
  set(r, 'expires', '')
  redis.call('ZREM', P .. 'retained', r.id)
  redis.call('SREM', queue_key(r, 'dead'), r.id)
end

-- The next attempt is due after so many milliseconds.
local function delay(r, backoff)
  set(r, 'next', now + backoff)
  redis.call('ZADD', queue_key(r, 'delayed'), int(now + backoff), r.id)
  move(r, 'requeue')
end

local function owned(id, tenant)
  local r = load(id)
  if r and (not tenant or get(r, 'tenant') == tenant) then return r end
  return nil
end

-- The record if it takes or took its bytes in this way, or nil and the reason why it never will (any more).
local function receiver(id, tenant, transfer)
  local r = owned(id, tenant)
  if not r then return nil, 'UPLOAD_NOT_FOUND', '' end
  local state, way = get(r, 'state'), cjson.decode(get(r, 'spec')).transfer
  if way ~= transfer then return nil, 'TRANSFER_MISMATCH', way end
  if state == 'EXPIRED' then return nil, 'UPLOAD_EXPIRED', '' end
  if state == 'CANCELLED' or state == 'CANCELLING' then return nil, 'UPLOAD_CANCELLED', '' end
  if state == 'FAILED' then return nil, 'UPLOAD_TERMINAL', state end
  return r
end

-- Bytes that became durable and the milliseconds that they took, both fading alike: `progress.receiving` reads the rate
-- from it. {when the last of it was, bytes, milliseconds, how long the last took}
local function flow_on(r, bytes)
  local flow = get(r, 'flow')
  local at, before, took = num(get(r, 'created')), 0, 0
  if flow ~= '' then at, before, took = unpack(cjson.decode(flow)) end
  local gap = bytes and math.max(1, now - at) or 0
  local kept = math.exp(-gap / CONSTANTS.flow_memory)
  set(r, 'flow', cjson.encode({now, before * kept + (bytes or 0), took * kept + gap, gap}))
end

-- What is durable of a size that is known shows as percent.
local function commit_bytes(r, committed)
  local before = num(get(r, 'committed'))
  set(r, 'committed', math.max(committed, before))
  if committed > before then flow_on(r, committed - before) end
  if num(get(r, 'size')) > 0 then
    raise_percent(r, CONSTANTS.received * num(get(r, 'committed')) / num(get(r, 'size')))
    set(r, 'work', get(r, 'percent'))
  end
  save(r)
  publish_progress(r)
end

-- The record if `fence` may write to it, or nil and the reason why not.
local function writable(id, fence)
  local r = load(id)
  if not r then return nil, 'UPLOAD_NOT_FOUND', '' end
  local state = get(r, 'state')
  if state == 'EXPIRED' then return nil, 'UPLOAD_EXPIRED', '' end
  if state == 'CANCELLED' and get(r, 'original') == '' then return nil, 'UPLOAD_CANCELLED', '' end
  if state == 'FAILED' and get(r, 'original') == '' then return nil, 'UPLOAD_TERMINAL', state end
  if state ~= 'RECEIVING' or num(get(r, 'fence')) ~= fence then
    return nil, 'CONCURRENT_WRITER', get(r, 'committed')
  end
  return r
end

-- The record if the attempt with `fence` still holds it (PROCESSING or CANCELLING), or nil.
local function held(id, fence)
  local r = load(id)
  if r and num(get(r, 'fence')) == fence and (get(r, 'state') == 'PROCESSING' or get(r, 'state') == 'CANCELLING') then
    return r
  end
  return nil
end

local function add_attempt(r, record)
  local before = get(r, 'attempts')
  set(r, 'attempts', before == '' and record or (before .. ',' .. record))
end

-- What the attempts of a series took, by stage: times add up, of peaks the highest stays.
local function add_timings(r)
  local sums, of = cjson.decode(get(r, 'timings') == '' and '[]' or get(r, 'timings')), {}
  for _, sum in ipairs(sums) do of[sum.stage] = sum end
  for _, more in ipairs(A.timings or {}) do
    local sum = of[more.stage]
    if sum then
      sum.seconds = sum.seconds + more.seconds
      sum.cpu_seconds = sum.cpu_seconds + more.cpu_seconds
      sum.peak_memory = math.max(sum.peak_memory, more.peak_memory)
    else
      sums[#sums + 1] = more
    end
  end
  if #sums > 0 then set(r, 'timings', cjson.encode(sums)) end
end

-- What every end of an attempt has in common; answers whether a cancel waited for it, which is done then.
local function end_attempt(r)
  leave_queues(r)
  add_timings(r)
  set(r, 'worker', '')
  plan_sweep(r, attempt_prefix(r), false)
  if get(r, 'state') ~= 'CANCELLING' then return false end
  retain(r)
  move(r, 'cancel')
  return true
end

-- What a cancel does, whoever asks: work under way is told to stop, everything else is over at once.
local function cancel_upload(r, failure)
  set(r, 'failure', failure)
  if may(r, 'stop') then
    move(r, 'stop')
  else
    if get(r, 'state') == 'RECEIVING' then discard_receiving(r) end
    leave_queues(r)
    retain(r)
    move(r, 'cancel')
  end
end

-- FAILED, CANCELLED -> QUEUED in a new series; the history of attempts stays.
local function retry_upload(r, max_attempts)
  leave_retained(r)
  for _, name in ipairs({'failed', 'lost'}) do set(r, name, 0) end
  for _, name in ipairs({'failure', 'finished', 'started', 'next', 'timings', 'losses', 'lost_elsewhere'}) do set(r, name, '') end
  set(r, 'series', num(get(r, 'series')) + 1)
  set(r, 'attempt', 1)
  set(r, 'max_attempts', max_attempts)
  set(r, 'percent', CONSTANTS.received)
  set(r, 'work', CONSTANTS.received)
  join_waiting(r)
  move(r, 'retry', 'queued')
end

-- Every worker process comes by here each second. Where none has for half a job's lease, it was the ledger that was
-- away, or all of them, and holders may not have been able to renew.
local function note_reached(job_lease)
  local tick = P .. 'leases:tick'
  local last = num(redis.call('GET', tick))
  redis.call('SET', tick, int(now))
  if now - last > job_lease / 2 then redis.call('SET', P .. 'leases:wait', int(now + job_lease)) end
end

-- The attempt ended with its worker or its sandbox, and counts apart from failed ones: the job is due again, at once or
-- after A.backoff, until it was lost too often. A file that was in a decoder each time is blamed. A.lost is what an
-- attempt's record tells.
local function lose(r)
  local worker, stage = get(r, 'worker'), get(r, 'stage')
  if end_attempt(r) then return end
  set(r, 'lost', num(get(r, 'lost')) + 1)
  set(r, 'losses', get(r, 'losses') .. '; ' .. worker .. ' in ' .. stage)
  if stage ~= 'process' then set(r, 'lost_elsewhere', '1') end
  if num(get(r, 'lost')) >= CONSTANTS.most_lost then
    local told = {}
    for name, value in pairs(A.lost) do told[name] = value end -- one step may lose several jobs
    if get(r, 'lost_elsewhere') == '' then told.code = CONSTANTS.blamed end
    told.worker, told.stage, told.evidence = worker, stage, 'lost ' .. get(r, 'lost') .. ' times' .. get(r, 'losses')
    add_attempt(r, cjson.encode(told))
    set(r, 'failure', cjson.encode({code = told.code, stage = stage}))
    give_up(r)
  elseif A.backoff then
    delay(r, A.backoff)
  else
    rejoin_waiting(r)
  end
end
