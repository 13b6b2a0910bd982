/**
 * What runs inside Redis, each as one atomic step. All keys of a registry share a hash tag, so in a cluster they lie on
 * one server.
 *
 * - `meta`, a hash: the epoch, the last position, and what is below.
 * - `tail`, a stream: all that was said, entries and notices alike, in the order of their positions. It reaches back as
 *   far as a node may be away and still be given each of them. Each item names its epoch and the position before it, so
 *   that none is missed unnoticed.
 * - one stream for each room: what it remembers. Each entry names the position of the entry before it in the room, so
 *   the first one tells what was forgotten, and the bytes that came before it, so the last one tells how many are held.
 * - `rooms`, a sorted set: the last position of each room, for when its stream is gone.
 * - `tokens`, a sorted set: the tokens of what was said last, so that what is said again is not kept twice.
 * - `keys`, a sorted set: the same for the keys that senders gave.
 *
 * An epoch names one history of this data. It ends where a node knows more than Redis does: Redis was emptied, or lost
 * its newest entries in a failover or a restart. So that this cannot go unnoticed when as many new entries have come
 * meanwhile, no position is given twice: where another server has taken over (INFO tells), positions leap ahead, and one
 * that lies inside of a leap belongs to an entry that was lost.
 */
import { createHash } from 'node:crypto'
import type { RedisClient } from './redis-link.js'

/** KEYS: meta, tail, rooms, tokens, keys, and the streams of rooms. ARGV: a name for a new epoch; the epoch and the highest position that the node knows. */
const STATE = `
local meta, tail, rooms, tokens, keys = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local LEAP, LEAPS = 1000000000, 100

local function int(number) return string.format('%.0f', number) end

local function field(fields, name)
  for i = 1, #fields, 2 do
    if fields[i] == name then return fields[i + 1] end
  end
end

local found = redis.call('HMGET', meta, 'epoch', 'server', 'leaps', 'position', 'last', 'start', 'forgotten', 'all',
  'bytes', 'leapt', 'unsure', 'named')
local epoch, leaps = found[1], found[3] or ''
local function number(index) return tonumber(found[index] or 0) end
local position, last, start, forgotten, all, bytes = number(4), number(5), number(6), number(7), number(8), number(9)
local leapt, unsure, named = number(10), number(11), number(12)

local info = redis.pcall('INFO', 'replication')
local server = type(info) == 'string' and string.match(info, 'master_replid:(%w+)') or ''

local function begin(at)
  epoch, leaps = ARGV[1], ''
  position, last, start, forgotten, all, bytes = at, at, at, at, at, 0
  leapt, unsure, named = 0, 0, 0
  redis.call('DEL', meta, tail, rooms, tokens, keys)
  local from = int(at)
  redis.call('HSET', meta, 'epoch', epoch, 'server', server, 'position', from, 'last', from, 'start', from,
    'forgotten', from, 'all', from)
end

local function leap()
  local known = {}
  for each in string.gmatch(leaps, '[^;]+') do known[#known + 1] = each end
  known[#known + 1] = int(position) .. ':' .. int(position + LEAP)
  if #known > LEAPS then unsure = tonumber(string.match(table.remove(known, 1), ':(%d+)')) end
  position = position + LEAP
  leapt, leaps = position, table.concat(known, ';')
  redis.call('HSET', meta, 'server', server, 'position', int(position), 'leapt', int(leapt), 'leaps', leaps,
    'unsure', int(unsure))
end

-- Where the leap ends in which a position lies, that of an entry which was lost.
local function leap_over(at)
  if at >= leapt then return nil end
  if at < unsure then return unsure end
  for from, to in string.gmatch(leaps, '(%d+):(%d+)') do
    if tonumber(from) < at and at < tonumber(to) then return tonumber(to) end
  end
end

if not epoch then
  local left = redis.call('XREVRANGE', tail, '+', '-', 'COUNT', 1)[1]
  begin(left and tonumber(string.match(left[1], '%d+')) + LEAP or 0)
elseif server ~= '' and server ~= found[2] then
  leap()
end
local known = tonumber(ARGV[3])
if ARGV[2] == epoch and (known > position or leap_over(known)) then begin(position + LEAP) end

-- The position up to which nothing is known of a room that has no stream.
local function forgotten_of(room)
  if room == '\\0' then return all end
  local at = redis.call('ZSCORE', rooms, room)
  if at then return tonumber(at) end
  if named == 1 and redis.call('EXISTS', rooms) == 0 then return last end
  return forgotten
end
`

/**
 * ARGV: …, a token; the epoch and the position that the node knew when it first asked, or nothing; head, data, size; the
 * room's count, bytes and age; the tail's count and bytes; a key, or nothing; the rooms, whose streams are the rest of KEYS.
 */
const PUBLISH = `
local TOKENS, ROOMS, IDLE, DAY = 10000, 10000, 3600000, 86400000
local token, since_epoch, since = ARGV[4], ARGV[5], tonumber(ARGV[6])
local head, data, size = ARGV[7], ARGV[8], tonumber(ARGV[9])
local count, most, age, key = ARGV[10], tonumber(ARGV[11]), tonumber(ARGV[12]), ARGV[15]

if key ~= '' then
  local at = redis.call('ZSCORE', keys, key)
  if at then return { 'kept', epoch, int(tonumber(at)) } end
end
if since_epoch ~= '' then
  local at = redis.call('ZSCORE', tokens, token)
  if at then return { 'kept', epoch, int(tonumber(at)) } end
  if since_epoch == epoch and last > since then
    local oldest = redis.call('ZRANGE', tokens, 0, 0, 'WITHSCORES')
    local is_whole = #oldest > 0 and (redis.call('ZCARD', tokens) < TOKENS or tonumber(oldest[2]) <= since)
    if not is_whole then return { 'unknown' } end
  end
end

local function trim(key, total, limit, oldest)
  while true do
    local first = redis.call('XRANGE', key, '-', '+', 'COUNT', 1)[1]
    if not first then return end
    local held = total - tonumber(field(first[2], 's'))
    if held <= limit and (not oldest or tonumber(field(first[2], 't')) >= oldest) then return end
    redis.call('XDEL', key, first[1])
  end
end

local before, sums = {}, {}
for i = 6, #KEYS do
  local newest = redis.call('XREVRANGE', KEYS[i], '+', '-', 'COUNT', 1)[1]
  if newest and field(newest[2], 'e') == epoch then
    before[i] = string.match(newest[1], '%d+')
    sums[i] = tonumber(field(newest[2], 's')) + tonumber(field(newest[2], 'z'))
  else
    before[i], sums[i] = int(forgotten_of(ARGV[i + 10])), 0
    if redis.call('EXISTS', KEYS[i]) == 1 then redis.call('DEL', KEYS[i]) end
  end
end

local at = int(position + 1)
local id = at .. '-0'
redis.call('XADD', tail, 'MAXLEN', '~', ARGV[13], id, 'h', head, 'd', data, 'p', int(last), 's', int(bytes),
  'e', epoch)
redis.call('HSET', meta, 'position', at, 'last', at, 'bytes', int(bytes + size))
trim(tail, bytes + size, tonumber(ARGV[14]))
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
  redis.call('XADD', KEYS[i], 'MAXLEN', '=', count, id, 'h', head, 'd', data, 'p', before[i], 's', int(sums[i]),
    'z', int(size), 't', int(now), 'e', epoch)
  trim(KEYS[i], sums[i] + size, most, now - age)
  redis.call('PEXPIRE', KEYS[i], int(age))
  if ARGV[i + 10] == '\\0' then
    redis.call('HSET', meta, 'all', at)
  else
    redis.call('ZADD', rooms, at, ARGV[i + 10])
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
local limit, most = tonumber(ARGV[4]), tonumber(ARGV[5])

local function read(key, from)
  local page, bytes, count = {}, 0, math.min(limit, FIRST)
  while #page < limit do
    local found = redis.call('XRANGE', key, int(from + 1) .. '-0', '+', 'COUNT', count)
    for _, entry in ipairs(found) do
      bytes = bytes + tonumber(field(entry[2], 'z'))
      if bytes > most and #page > 0 then return page, 1 end
      local at = string.match(entry[1], '%d+')
      page[#page + 1] = { at, field(entry[2], 'h'), field(entry[2], 'd') }
      from = tonumber(at)
    end
    if #found < count then return page, 0 end
    count = math.min(limit - #page, count * 4)
  end
  return page, 1
end

for i = 6, #KEYS do
  local room, from = ARGV[i * 2 - 6], tonumber(ARGV[i * 2 - 5])
  local first = redis.call('XRANGE', KEYS[i], '-', '+', 'COUNT', 1)[1]
  local is_known = first and field(first[2], 'e') == epoch
  local floor = is_known and tonumber(field(first[2], 'p')) or forgotten_of(room)
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
  for _, entry in ipairs(redis.call('XREVRANGE', KEYS[i], '+', '-', 'COUNT', ARGV[4])) do
    if field(entry[2], 'e') == epoch then positions[#positions + 1] = string.match(entry[1], '%d+') end
  end
end
return { epoch, int(position), positions }
`

/** ARGV: …, where the node stands in the tail; epochs that it knows to be over. Answers from where it can go on. */
const LOOK = `
if string.find(ARGV[5], epoch, 1, true) then begin(position + LEAP) end
local at = ARGV[2] == epoch and tonumber(ARGV[4]) or start
if ARGV[2] == '' then
  at = position
elseif at < last then
  local first = redis.call('XRANGE', tail, '-', '+', 'COUNT', 1)[1]
  if not first or tonumber(field(first[2], 'p')) > at then at = position end
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
