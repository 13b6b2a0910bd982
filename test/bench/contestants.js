/** Who takes part in what. `best` is the same with the JSON of an event made once by its user. */

import { spawnSync } from 'node:child_process'

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
    serves: [...http, ...streams, ...sockets, ...ours, 'upload'],
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
  { name: 'floor', title: 'C, write alone', file: 'floor', serves: hasCompiler() ? ['sse'] : [] },
]

/** `floor.c` takes part where it can be compiled. */
function hasCompiler() {
  return spawnSync('cc', ['--version']).status === 0
}

/** Those of a workload: the bare one twice, to show the noise; `against` is another build of Palomino. */
export function contestantsOf(workload, { palomino, against }) {
  const { serve, without = [], only, asks = {}, best = false } = workload
  const takesPart = name => !without.includes(name) && only?.includes(name) !== false
  const entries = all.filter(({ name, serves }) => serves.includes(serve) && takesPart(name))
  const [bare, ...others] = entries
  const again = { ...bare, name: 'bare-again', title: `${bare.title}, again` }
  const made = best ? entries.filter(entry => entry.best).map(bestCase) : []
  const other = {
    ...entries.find(({ name }) => name === 'palomino'),
    name: 'against',
    title: 'Palomino, the other build',
  }
  return [bare, again, ...others, ...made, ...(against === undefined ? [] : [other])].map(entry => ({
    ...entry,
    asks: { ...asks, ...entry.asks },
    env: { ...entry.env, PALOMINO: entry.name === 'against' ? against : palomino },
  }))
}

/** @throws Error for a name that no contestant has */
export function checkContestant(name) {
  const known = [...all.flatMap(entry => [entry.name, ...(entry.best ? [bestCase(entry).name] : [])]), 'against']
  if (!known.includes(name)) throw new Error(`no contestant ${name}: there are ${known.join(', ')}`)
}

function bestCase(entry) {
  return { ...entry, name: `${entry.name}-best`, title: `${entry.title}, JSON made once`, asks: { best: true } }
}
