import { createHash } from 'node:crypto'
import type { RedisClient } from './redis-link.js'
import { STATE } from './redis-state.js'

/**
 * ARGV: …, a token; the epoch and the position that the node knew when it first asked, or nothing; head, data, size; the
 * room's count, bytes and age; the tail's count and bytes; a key, or nothing; the rooms, whose streams are the rest of KEYS.
 */
const PUBLISH = `
local TOKENS, ROOMS, IDLE, DAY = 10000, 10000, 3600000, 86400000
local token, since_epoch, since = ARGV[6], ARGV[7], tonumber(ARGV[8])
local head, data, size = ARGV[9], ARGV[10], tonumber(ARGV[11])
local count, most, age, key = ARGV[12], tonumber(ARGV[13]), tonumber(ARGV[14]), ARGV[17]

-- Redis 6 does not hold scripts to min-replicas-to-write. A replica, which has none of its own, says READONLY.
if string.find(info, 'role:master', 1, true) and string.find(info, 'min_slaves_good_slaves:0', 1, true) then
  return redis.error_reply('NOREPLICAS Not enough good replicas to write.')
end
if key ~= '' then
  local at = redis.call('ZSCORE', keys, key)
  if at then return { 'kept', epoch, int(tonumber(at)) } end
end
-- Clients of Sentinels say again by themselves what was not answered.
local said = redis.call('ZSCORE', tokens, token)
if said then return { 'kept', epoch, int(tonumber(said)) } end
if since_epoch == epoch and last > since then
  local oldest = redis.call('ZRANGE', tokens, 0, 0, 'WITHSCORES')
  local is_whole = #oldest > 0 and (redis.call('ZCARD', tokens) < TOKENS or tonumber(oldest[2]) <= since)
  if not is_whole then return { 'unknown' } end
end

local function trim(key, total, limit, oldest)
  while true do
    local first = redis.call('XRANGE', key, '-', '+', 'COUNT', 1)[1]
    if not first then return end
    local before = amount(first[2], 's')
    local is_young = not oldest or (amount(first[2], 't') or 0) >= oldest
    if before and total - before <= limit and is_young then return end
    redis.call('XDEL', key, first[1])
  end
end

local before, sums = {}, {}
for i = 6, #KEYS do
  local newest = redis.call('XREVRANGE', KEYS[i], '+', '-', 'COUNT', 1)[1]
  if newest and field(newest[2], 'e') == epoch then
    before[i] = string.match(newest[1], '%d+')
    sums[i] = (amount(newest[2], 's') or 0) + (amount(newest[2], 'z') or 0)
  else
    before[i], sums[i] = int(forgotten_of(ARGV[i + 12])), 0
    if redis.call('EXISTS', KEYS[i]) == 1 then redis.call('DEL', KEYS[i]) end
  end
end

local at = int(position + 1)
local id = at .. '-0'

-- Somebody else may have written behind the last position: then nothing could ever be added.
local function add(key, ...)
  local added = redis.pcall('XADD', key, ...)
  if type(added) ~= 'table' or not added.err then return end
  if not string.find(added.err, 'equal or smaller', 1, true) then error(added.err) end
  redis.call('DEL', key)
  redis.call('XADD', key, ...)
end

add(tail, 'MAXLEN', '~', ARGV[15], id, 'h', head, 'd', data, 'p', int(last), 's', int(bytes), 'e', epoch)
redis.call('HSET', meta, 'position', at, 'last', at, 'bytes', int(bytes + size))
trim(tail, bytes + size, tonumber(ARGV[16]))
redis.call('PEXPIRE', tail, IDLE)
redis.call('ZADD', tokens, at, token)
redis.call('ZREMRANGEBYRANK', tokens, 0, -TOKENS - 1)
redis.call('PEXPIRE', tokens, IDLE)
if key ~= '' then
  redis.call('ZADD', keys, at, key)
  redis.call('ZREMRANGEBYRANK', keys, 0, -TOKENS - 1)
  redis.call('PEXPIRE', keys, DAY)
end

local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
for i = 6, #KEYS do
  add(KEYS[i], 'MAXLEN', '=', count, id, 'h', head, 'd', data, 'p', before[i], 's', int(sums[i]),
    'z', int(size), 't', int(now), 'e', epoch)
  trim(KEYS[i], sums[i] + size, most, now - age)
  redis.call('PEXPIRE', KEYS[i], int(age))
  if ARGV[i + 12] == '\\0' then
    redis.call('HSET', meta, 'all', at)
  else
    redis.call('ZADD', rooms, at, ARGV[i + 12])
    if named == 0 then redis.call('HSET', meta, 'named', 1) end
  end
end
if redis.call('ZCARD', rooms) > ROOMS then
  local dropped = redis.call('ZPOPMIN', rooms)
  redis.call('HSET', meta, 'forgotten', int(math.max(forgotten, tonumber(dropped[2]))))
end
return { 'kept', epoch, at }
`

/**
 * ARGV: …, entries and bytes of each room at the most; each room and a position in it, the streams being the rest of KEYS.
 * It reads few at first, and more where they are small, so that Redis never holds much more than it answers.
 */
const READ = `
local FIRST = 16
local gaps, pages = {}, {}
local limit, most = tonumber(ARGV[6]), tonumber(ARGV[7])

local function read(key, from)
  local page, bytes, count = {}, 0, math.min(limit, FIRST)
  while #page < limit do
    local found = redis.call('XRANGE', key, int(from + 1) .. '-0', '+', 'COUNT', count)
    for _, entry in ipairs(found) do
      local at = string.match(entry[1], '%d+')
      if field(entry[2], 'e') == epoch and tonumber(at) <= position then
        bytes = bytes + (amount(entry[2], 'z') or 0)
        if bytes > most and #page > 0 then return page, 1 end
        page[#page + 1] = { at, field(entry[2], 'h') or '', field(entry[2], 'd') or '' }
      end
      from = tonumber(at)
    end
    if #found < count then return page, 0 end
    count = math.min(limit - #page, count * 4)
  end
  return page, 1
end

for i = 6, #KEYS do
  local room, from = ARGV[i * 2 - 4], tonumber(ARGV[i * 2 - 3])
  local first = redis.call('XRANGE', KEYS[i], '-', '+', 'COUNT', 1)[1]
  local is_known = first and field(first[2], 'e') == epoch
  local floor = is_known and amount(first[2], 'p') or forgotten_of(room)
  local over = leap_over(from)
  gaps[i - 5], pages[i - 5] = false, { {}, 0 }
  if from > position or floor > from or over then
    from = math.max(floor, over or 0)
    gaps[i - 5] = int(from)
  end
  if is_known then
    local page, is_cut = read(KEYS[i], from)
    pages[i - 5] = { page, is_cut }
  end
end
return { epoch, int(position), gaps, pages }
`

/** ARGV: …, a count. */
const BEFORE = `
local positions = {}
for i = 6, #KEYS do
  for _, entry in ipairs(redis.call('XREVRANGE', KEYS[i], '+', '-', 'COUNT', ARGV[6])) do
    if field(entry[2], 'e') == epoch then positions[#positions + 1] = string.match(entry[1], '%d+') end
  end
end
return { epoch, int(position), positions }
`

/** ARGV: …, where the node stands in the tail. Answers from where it can go on. */
const LOOK = `
local at = ARGV[2] == epoch and tonumber(ARGV[6]) or start
if ARGV[2] == '' then
  at = position
elseif at < last then
  local first = redis.call('XRANGE', tail, '-', '+', 'COUNT', 1)[1]
  local before = first and amount(first[2], 'p')
  if not before or before > at then at = position end
end
return { epoch, int(position), int(at) }
`

const SCRIPTS = { publish: script(PUBLISH), read: script(READ), before: script(BEFORE), look: script(LOOK) }

export type ScriptName = keyof typeof SCRIPTS

function script(body: string) {
  const source = `${STATE}${body}`
  return { source, sha: createHash('sha1').update(source).digest('hex') }
}

/** Connections that have been given a script, by which others are known to Redis by their digest alone. */
const given = new WeakMap<RedisClient, Set<ScriptName>>()

export async function runScript(
  client: RedisClient,
  name: ScriptName,
  keys: string[],
  args: string[],
): Promise<unknown[]> {
  const { source, sha } = SCRIPTS[name]
  const options = { keys, arguments: args }
  const known = given.get(client) ?? new Set()
  given.set(client, known)
  const isKnown = known.has(name)
  known.add(name)
  if (!isKnown) return (await client.eval(source, options)) as unknown[]
  try {
    return (await client.evalSha(sha, options)) as unknown[]
  } catch (error) {
    if (!String(error).includes('NOSCRIPT')) throw error
    return (await client.eval(source, options)) as unknown[]
  }
}
