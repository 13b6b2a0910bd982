/** What Palomino is to reach: `atMost` (or `atLeast`) so many times what another has, or a number by itself. */

const below = (figure, limits) => Object.entries(limits).map(([against, atMost]) => ({ figure, against, atMost }))
const cpu = limits => below('cpu', limits)
const nest = { 'nest-express': 0.15 }
const bestCases = { 'fastify-best': 1, 'better-sse-best': 1, 'nest-express-best': 1 }
const idleStreams = [
  { figure: 'rss', atMost: 5.5 },
  { figure: 'heap', atMost: 1.5 },
]
const idleSockets = [
  { figure: 'rss', against: 'bare', plus: 0.5 },
  { figure: 'rss', against: 'socket.io', atMost: 0.6 },
]
const controllers = { bare: 1.05, fastify: 0.75, hono: 0.8, ...nest }

export const targets = {
  json: cpu({ ...controllers, hono: 0.95 }),
  params: cpu(controllers),
  routes200: cpu(controllers),
  notfound: cpu(controllers),
  body: cpu({ bare: 1.05, fastify: 0.85 }),
  sse: [
    ...cpu({ bare: 0.6, fastify: 0.42, 'better-sse': 0.42, hono: 0.15, 'nest-express': 0.3, floor: 1.5, ...bestCases }),
    ...below('p99', { bare: 0.75 }),
  ],
  'sse-1k': [
    ...cpu({ bare: 0.6, fastify: 0.3, 'better-sse': 0.3, hono: 0.15, 'nest-express': 0.3, floor: 1.5, ...bestCases }),
    ...below('p99', { bare: 0.75 }),
  ],
  'sse-5000': cpu({ bare: 0.65, fastify: 0.5, 'better-sse': 0.5, floor: 1.5 }),
  'sse-burst': cpu({ bare: 0.25, fastify: 0.12, 'better-sse': 0.12 }),
  generator: cpu({ bare: 0.75, fastify: 0.7, 'nest-express': 0.4 }),
  ws: cpu({ bare: 0.7, 'socket.io': 0.6 }),
  'ws-burst': cpu({ bare: 0.12, 'socket.io': 0.12 }),
  'ws-deflate': cpu({ bare: 0.15 }),
  'idle-ws-deflate': [{ figure: 'rss', atMost: 12 }],
  echo: cpu({ bare: 0.42, 'socket.io': 0.2, 'nest-express': 0.12 }),
  echo1: cpu({ bare: 1 }),
  'idle-sse': idleStreams,
  'idle-sse-young': idleStreams,
  'idle-ws': idleSockets,
  'idle-ws-young': idleSockets,
  upload: [
    { figure: 'speed', against: 'bare', atLeast: 0.9 },
    { figure: 'peak', against: 'bare', plus: 10 },
  ],
  'start-1000': below('startup', { bare: 2, fastify: 0.5, 'nest-express': 0.3 }),
}

/** Identical code differs by as much from one process to the next: within it, nothing is told. */
const NOISE = 0.12

/** What was measured beside a target, and whether it is reached; undefined where one of the two was not measured. */
export function judge({ figure, against, atMost, atLeast, plus }, contestants) {
  const find = name => contestants.find(contestant => contestant.name === name)
  const mine = find('palomino')?.[figure]
  const title = against && (find(against)?.title ?? against)
  const theirs = against === undefined ? 1 : against === 'bare' ? bareOf(figure, find) : find(against)?.[figure]
  if (mine === undefined || theirs === undefined) return undefined
  if (plus !== undefined)
    return { target: `≤ ${title} + ${plus}`, measured: `${mine} : ${round(theirs)}`, ...verdict(mine, theirs + plus) }
  const measured = against === undefined ? `${mine}` : `${(mine / theirs).toFixed(2)} ×`
  if (atLeast !== undefined) return { target: `≥ ${atLeast} × ${title}`, measured, ...verdict(theirs * atLeast, mine) }
  const target = against === undefined ? `≤ ${atMost}` : `≤ ${atMost} × ${title}`
  return { target, measured, ...verdict(mine, theirs * atMost) }
}

/** The mean of both entries of the bare contestant. */
function bareOf(figure, find) {
  const both = [find('bare')?.[figure], find('bare-again')?.[figure]].filter(value => value !== undefined)
  return both.length === 0 ? undefined : both.reduce((sum, value) => sum + value, 0) / both.length
}

function verdict(value, limit) {
  if (value <= limit) return { reached: 'yes' }
  return { reached: value <= limit * (1 + NOISE) ? 'within the noise' : 'no' }
}

const round = value => Number(value.toPrecision(3))
