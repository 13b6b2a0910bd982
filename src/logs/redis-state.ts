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
 * meanwhile, no position is given twice: where another server has taken over (INFO tells), positions leap ahead, each
 * server's by a length of its own, and one that lies inside of a leap belongs to an entry that was lost.
 *
 * A server that knows nothing of a leap that a node knows of was left behind: another one has taken over. It is asked
 * nothing more, unless a connection that was made anew leads to it again (`insists`): then there is no other.
 */

/**
 * In front of each script. KEYS: meta, tail, rooms, tokens, keys, and the streams of rooms. ARGV: a name for a new epoch, that of the server follows; the
 * epoch that the node knows, and positions in it; epochs that it knows to be over; `1` where it insists, or nothing.
 */
export const STATE = `
local meta, tail, rooms, tokens, keys = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local LEAP, LEAPS = 1000000000, 100

local function int(number) return string.format('%.0f', number) end

local function field(fields, name)
  for i = 1, #fields, 2 do
    if fields[i] == name then return fields[i + 1] end
  end
  return nil -- which \`tonumber\` takes, unlike nothing
end

-- Nil where somebody else wrote it.
local function amount(fields, name) return tonumber(field(fields, name)) end

local found = redis.call('HMGET', meta, 'epoch', 'server', 'leaps', 'position', 'last', 'start', 'forgotten', 'all',
  'bytes', 'leapt', 'unsure', 'named')
local epoch, leaps = found[1], found[3] or ''
local function number(index) return tonumber(found[index] or 0) end
local position, last, start, forgotten, all, bytes = number(4), number(5), number(6), number(7), number(8), number(9)
local leapt, unsure, named = number(10), number(11), number(12)

local info = redis.pcall('INFO', 'replication')
if type(info) ~= 'string' then info = '' end
local server = string.match(info, 'master_replid:(%w+)') or ''

-- Clients of Sentinels may have two servers begin for one and the same asking.
local function begin(at)
  epoch, leaps = ARGV[1] .. string.sub(server, 1, 4), ''
  position, last, start, forgotten, all, bytes = at, at, at, at, at, 0
  leapt, unsure, named = 0, 0, 0
  redis.call('DEL', meta, tail, rooms, tokens, keys)
  local from = int(at)
  redis.call('HSET', meta, 'epoch', epoch, 'server', server, 'position', from, 'last', from, 'start', from,
    'forgotten', from, 'all', from)
end

local function leap()
  local landing = position + LEAP + tonumber(string.sub(server, 1, 8), 16)
  local known = {}
  for each in string.gmatch(leaps, '[^;]+') do known[#known + 1] = each end
  known[#known + 1] = int(position) .. ':' .. int(landing)
  if #known > LEAPS then unsure = tonumber(string.match(table.remove(known, 1), ':(%d+)')) end
  position = landing
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

local is_over, is_behind, is_short = string.find(ARGV[4], epoch, 1, true), false, false
if ARGV[2] == epoch then
  for at in string.gmatch(ARGV[3], '%d+') do
    local known = tonumber(at)
    is_behind = is_behind or known > position + LEAP / 2
    is_short = is_short or known > position or leap_over(known)
  end
end
if (is_over or is_behind) and ARGV[5] == '' then return redis.error_reply('BEHIND another server has taken over from this one: connections must lead to that one') end
if is_over or is_short then begin(position + LEAP) end

-- The position up to which nothing is known of a room that has no stream.
local function forgotten_of(room)
  if room == '\\0' then return all end
  local at = redis.call('ZSCORE', rooms, room)
  if at then return tonumber(at) end
  if named == 1 and redis.call('EXISTS', rooms) == 0 then return last end
  return forgotten
end
`
