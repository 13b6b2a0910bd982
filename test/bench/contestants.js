/** Who takes part in what. `best` is the same with the JSON of an event made once by its user. */

import { spawnSync } from 'node:child_process'
import { isInstalled } from './programs.js'

const http = ['http', 'routes', 'start']
const streams = ['sse', 'generator']
const ours = ['rooms', 'beside']
const sockets = ['ws', 'echo']

const all = [
  { name: 'bare', title: 'bare Node.js', file: 'bare', serves: [...http, ...streams, ...sockets, ...ours, 'upload'] },
  {
    name: 'palomino',
    title: 'Palomino',
    file: 'palomino',
    serves: [...http, ...streams, ...sockets, ...ours, 'joins', 'upload'],
  },
  {
    name: 'fastify',
    title: 'Fastify',
    file: 'fastify',
    serves: [...http, ...streams, ...sockets, 'upload'],
    best: true,
  },
  { name: 'hono', title: 'Hono', file: 'hono', serves: [...http, ...streams, ...sockets, 'upload'] },
  { name: 'h3', title: 'h3', file: 'h3', serves: [...http, ...streams, ...sockets, 'upload'] },
  { name: 'express', title: 'Express', file: 'express', serves: [...http, 'upload'] },
  { name: 'better-sse', title: 'Express + better-sse', file: 'express', serves: streams, best: true },
  { name: 'socket.io', title: 'Socket.IO', file: 'socket.io', serves: sockets },
  {
    name: 'nest-express',
    title: 'NestJS on Express',
    file: 'nest',
    serves: [...http, ...streams, ...sockets, 'upload'],
    best: true,
  },
  {
    name: 'nest-fastify',
    title: 'NestJS on Fastify',
    file: 'nest',
    env: { NEST: 'fastify' },
    serves: [...http, ...streams, ...sockets],
  },
  log('memory', 'Palomino, the log of one process'),
  log('ipc', 'Palomino, IPC of node:cluster'),
  log('redis', 'Palomino, Redis Streams', 'redis-server'),
  log('nats', 'Palomino, NATS JetStream', 'nats-server'),
  log('socket.io', 'Socket.IO, its Redis Streams adapter', 'redis-server'),
  { name: 'floor', title: 'C, write alone', file: 'floor', serves: hasCompiler() ? ['sse'] : [] },
]

/** Two nodes that share a log. */
function log(kind, title, needs) {
  return { name: `log-${kind}`, title, file: 'logs', serves: ['logs'], asks: { log: kind }, needs }
}

/** `floor.c` takes part where it can be compiled. */
function hasCompiler() {
  return spawnSync('cc', ['--version']).status === 0
}

/** Those of a workload: the bare one twice, to show the noise; `against` is another build of Palomino. */
export function contestantsOf(workload, { palomino, against }) {
  const { serve, without = [], only, asks = {}, best = false } = workload
  const takesPart = name => !without.includes(name) && only?.includes(name) !== false
  const entries = all.filter(({ name, serves }) => serves.includes(serve) && takesPart(name))
  const bare = entries.filter(({ name }) => name === 'bare')
  const again = bare.map(entry => ({ ...entry, name: 'bare-again', title: `${entry.title}, again` }))
  const others = entries.filter(({ name }) => name !== 'bare')
  const made = best ? entries.filter(entry => entry.best).map(bestCase) : []
  const other = entries
    .filter(({ name }) => name === 'palomino' && against !== undefined)
    .map(entry => ({ ...entry, name: 'against', title: 'Palomino, the other build' }))
  return [...bare, ...again, ...others, ...made, ...other].map(entry => ({
    ...entry,
    asks: { ...asks, ...entry.asks },
    env: { ...entry.env, PALOMINO: entry.name === 'against' ? against : palomino },
  }))
}

/** Why a contestant cannot take part here; undefined where it can. */
export function whyNot({ needs }) {
  return needs === undefined || isInstalled(needs) ? undefined : `no ${needs} found: apt-get install ${needs}`
}

/** @throws Error for a name that no contestant has */
export function checkContestant(name) {
  const known = [...all.flatMap(entry => [entry.name, ...(entry.best ? [bestCase(entry).name] : [])]), 'against']
  if (!known.includes(name)) throw new Error(`no contestant ${name}: there are ${known.join(', ')}`)
}

function bestCase(entry) {
  return { ...entry, name: `${entry.name}-best`, title: `${entry.title}, JSON made once`, asks: { best: true } }
}
