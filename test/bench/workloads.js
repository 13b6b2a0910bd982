/** What is measured. `kind` names a file of `kinds/`; `serve` the function of the contestants; `asks` is given to it. */
import { answer, created, routed, userJson } from './fixtures.js'

const requests = (serve, details) => ({ kind: 'requests', serve, unit: 'request', ...details })
const fanOut = details => ({ kind: 'fan-out', unit: 'event delivered', bytes: 100, times: 1, ...details })
/** The same at several sizes: `at` says what of it is how large. Bare Node.js and Palomino, since the question is whether it stays flat. */
const scale = (over, points, at, workload) => ({
  ...workload,
  over,
  points,
  at,
  only: ['bare', 'palomino'],
  alone: true,
})
/** What survives while connections open has V8 double its young heap, to 32 MiB on 20.20, which it keeps: that is none of theirs. */
const SMALL_YOUNG_HEAP = ['--max-semi-space-size=1']
const CONNECTIONS = [100, 1000, 5000, 10_000, 20_000]
const ROUTES = [10, 100, 1000, 5000]
const ROOMS = [1, 10, 100, 1000, 10_000]
const echo = details => ({ kind: 'echo', serve: 'echo', unit: 'message', connections: 100, ...details })

export const workloads = {
  json: requests('http', { title: 'GET JSON', request: { path: '/json' }, body: answer() }),
  params: requests('http', {
    title: 'GET with two params and a query',
    request: { path: '/users/42/posts/7?limit=10' },
    body: { user: '42', post: '7', limit: '10' },
  }),
  body: requests('http', {
    title: 'POST 1 KB of JSON, checked by a zod schema',
    request: { method: 'POST', path: '/users', body: userJson },
    body: created(JSON.parse(userJson)),
  }),
  notfound: requests('http', { title: '404', request: { path: '/nothing/here' }, status: 4 }),
  routes200: requests('routes', {
    title: 'GET with a param, 200 routes',
    asks: { count: 200 },
    request: { path: '/area27/things137/42' },
    body: routed('42'),
  }),
  tls: requests('http', {
    title: 'GET JSON over TLS',
    asks: { tls: true },
    without: ['hono', 'h3', 'express', 'nest-express', 'nest-fastify'],
    request: { path: '/json' },
    body: answer(),
    secure: true,
  }),
  sse: fanOut({ title: 'SSE fan-out, 1,000 streams, 100 B', serve: 'sse', connections: 1000, best: true }),
  'sse-1k': fanOut({
    title: 'SSE fan-out, 1,000 streams, 1 KB',
    serve: 'sse',
    connections: 1000,
    bytes: 1024,
    best: true,
  }),
  'sse-5000': fanOut({
    title: 'SSE fan-out, 5,000 streams, 100 B',
    serve: 'sse',
    connections: 5000,
    events: 8,
    alone: true,
  }),
  'sse-burst': fanOut({
    title: 'SSE fan-out, 1,000 streams, ten events in one turn',
    serve: 'sse',
    connections: 1000,
    times: 10,
    events: 8,
    best: true,
  }),
  'sse-http2': fanOut({
    title: 'SSE fan-out over HTTP/2, 1,000 streams on 100 connections, 100 B',
    serve: 'sse',
    asks: { http2: true },
    without: ['fastify', 'hono', 'h3', 'better-sse', 'nest-express', 'nest-fastify', 'floor'],
    connections: 1000,
    http2: true,
  }),
  'sse-slow': fanOut({
    title: 'SSE fan-out, 100 streams, 64 KB, every fifth does not read',
    serve: 'sse',
    connections: 100,
    bytes: 65_536,
    events: 100,
    paused: 0.2,
    without: ['floor'],
    alone: true,
  }),
  generator: requests('generator', {
    title: 'SSE, a generator of 20 tokens per connection',
    unit: 'event',
    request: { path: '/tokens', fields: 'Accept: text/event-stream\r\n' },
    markers: 20,
  }),
  'generator-new': requests('generator', {
    title: 'SSE, a generator of 20 tokens per connection, each on a new connection',
    unit: 'event',
    request: { path: '/tokens', fields: 'Accept: text/event-stream\r\nConnection: close\r\n' },
    markers: 20,
    renew: true,
  }),
  ws: fanOut({ title: 'WebSocket fan-out, 1,000 sockets, 100 B', serve: 'ws', connections: 1000 }),
  'ws-burst': fanOut({
    title: 'WebSocket fan-out, 1,000 sockets, ten messages in one turn',
    serve: 'ws',
    connections: 1000,
    times: 10,
    events: 8,
  }),
  'ws-deflate': fanOut({
    title: 'WebSocket fan-out with permessage-deflate, 200 sockets, 2 KB',
    serve: 'ws',
    asks: { deflate: true },
    without: ['h3'],
    connections: 200,
    bytes: 2048,
    alone: true,
  }),
  echo: echo({ title: 'WebSocket echo, 100 connections, 8 in flight', inFlight: 8 }),
  echo1: echo({ title: 'WebSocket echo, 100 connections, 1 in flight', inFlight: 1 }),
  'idle-sse': {
    kind: 'idle',
    title: 'idle event streams, 5,000',
    serve: 'sse',
    without: ['floor'],
    connections: 5000,
    alone: true,
  },
  'idle-ws': { kind: 'idle', title: 'idle sockets, 5,000', serve: 'ws', connections: 5000, alone: true },
  'idle-sse-young': {
    kind: 'idle',
    title: 'idle event streams, 5,000, with a young heap that does not grow',
    serve: 'sse',
    without: ['floor'],
    execArgv: SMALL_YOUNG_HEAP,
    connections: 5000,
    alone: true,
  },
  'idle-ws-young': {
    kind: 'idle',
    title: 'idle sockets, 5,000, with a young heap that does not grow',
    serve: 'ws',
    execArgv: SMALL_YOUNG_HEAP,
    connections: 5000,
    alone: true,
  },
  'idle-ws-deflate': {
    kind: 'idle',
    title: 'idle sockets with permessage-deflate, 5,000, after three messages of 2 KB',
    serve: 'ws',
    asks: { deflate: true },
    without: ['h3'],
    connections: 5000,
    bytes: 2048,
    times: 1,
    events: 3,
    alone: true,
  },
  'keepalive-sse': {
    kind: 'quiet',
    title: 'keep-alive of 1,000 event streams, one a second',
    serve: 'sse',
    asks: { keepAlive: 1000 },
    without: ['hono', 'h3', 'nest-express', 'nest-fastify', 'floor'],
    unit: 'keep-alive',
    connections: 1000,
    alone: true,
  },
  'heartbeat-ws': {
    kind: 'quiet',
    title: 'heartbeat of 1,000 sockets, one a second',
    serve: 'ws',
    asks: { heartbeat: 1000 },
    without: ['hono', 'h3', 'fastify', 'nest-express', 'nest-fastify'],
    unit: 'heartbeat',
    connections: 1000,
    alone: true,
  },
  logs: {
    kind: 'log',
    title: 'one log, two nodes: what one sends, a socket of the other hears, 100 B',
    serve: 'logs',
    unit: 'event',
    connections: 1,
    bytes: 100,
    events: 5000,
    singles: 200,
    alone: true,
  },
  'churn-sse': {
    kind: 'churn',
    title: 'idle event streams, 20,000, of which one in a hundred is another each second',
    serve: 'sse',
    only: ['bare', 'palomino'],
    connections: 20_000,
    alone: true,
  },
  'churn-ws': {
    kind: 'churn',
    title: 'idle sockets, 20,000, of which one in a hundred is another each second',
    serve: 'ws',
    only: ['bare', 'palomino'],
    connections: 20_000,
    alone: true,
  },
  'beside-sse': {
    kind: 'beside',
    title: 'GET JSON while events go to 10,000 event streams',
    serve: 'beside',
    connections: 10_000,
    bytes: 100,
    times: 1,
    alone: true,
  },
  'scale-sse': scale(
    'event streams',
    CONNECTIONS,
    connections => ({ connections }),
    fanOut({ title: 'SSE fan-out, 100 B', serve: 'sse', events: 8 }),
  ),
  'scale-ws': scale(
    'sockets',
    CONNECTIONS,
    connections => ({ connections }),
    fanOut({ title: 'WebSocket fan-out, 100 B', serve: 'ws', events: 8 }),
  ),
  'scale-rooms': scale(
    'rooms',
    ROOMS,
    rooms => ({ asks: { rooms } }),
    fanOut({ title: 'SSE fan-out to one of many rooms', serve: 'rooms', connections: 1000 }),
  ),
  'scale-joins': scale('rooms', ROOMS, rooms => ({ rooms }), {
    kind: 'joins',
    title: 'joining rooms one by one on one event stream, and leaving them',
    unit: 'room',
    serve: 'joins',
    connections: 1,
  }),
  'scale-routes': scale(
    'routes',
    ROUTES,
    count => ({
      asks: { count },
      request: { path: `/area${Math.floor((count - 1) / 5)}/things${count - 1}/42` },
    }),
    requests('routes', { title: 'GET with a param', body: routed('42') }),
  ),
  upload: { kind: 'upload', title: 'upload of 50 MB', serve: 'upload', unit: 'MB', bytes: 50e6, alone: true },
  'start-1': { kind: 'start', title: 'cold start, 1 route', serve: 'start', asks: { count: 1 } },
  'start-100': { kind: 'start', title: 'cold start, 100 routes', serve: 'start', asks: { count: 100 } },
  'start-1000': {
    kind: 'start',
    title: 'cold start, 1,000 routes over 200 controllers',
    serve: 'start',
    asks: { count: 1000 },
  },
}

/** What a name on the command line stands for: a workload, or all whose name begins with it. */
export function chosen(names) {
  const known = Object.keys(workloads)
  if (names === undefined) return known
  const found = names.flatMap(name => {
    const matches = known.includes(name) ? [name] : known.filter(other => other.startsWith(name.replace(/\*$/, '')))
    if (matches.length === 0) throw new Error(`no workload ${name}: there are ${known.join(', ')}`)
    return matches
  })
  return [...new Set(found)]
}
