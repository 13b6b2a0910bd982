/** Measures: `npm run bench -- --workload sse,echo --contestant palomino,fastify --rounds 3 --processes 4`. */
import { existsSync } from 'node:fs'
import { mkdir, writeFile } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { Child } from './child.js'
import { contestantsOf } from './contestants.js'
import { machine, openFiles, versionsOf } from './machine.js'
import { formatTable, summarize } from './summary.js'
import { chosen, workloads } from './workloads.js'

const here = import.meta.dirname
const { values } = parseArgs({
  options: {
    workload: { type: 'string', short: 'w' },
    contestant: { type: 'string', short: 'c' },
    rounds: { type: 'string', default: '3' },
    processes: { type: 'string', default: '4' },
    palomino: { type: 'string', default: resolve(here, '../..') },
    against: { type: 'string' },
    threshold: { type: 'string', default: '0.15' },
    out: { type: 'string', default: resolve(here, 'results/latest.json') },
  },
})

const builds = { palomino: buildOf(values.palomino), against: values.against && buildOf(values.against) }
const names = chosen(values.workload?.split(','))
const wanted = values.contestant?.split(',') ?? (values.against && ['palomino', 'against'])
const results = { measured: new Date().toISOString(), machine: machine(), packages: {}, workloads: {} }
const load = await Child.start('load.js', [])
let failed = false
try {
  for (const name of names) await measure(name, workloads[name])
  await save()
} finally {
  await load.end()
}
if (values.against !== undefined && !passes()) failed = true
process.exit(failed ? 1 : 0)

async function measure(name, workload) {
  const kind = await import(`./kinds/${workload.kind}.js`)
  const entries = contestantsOf(workload, builds).filter(entry => isWanted(entry.name))
  const needed = (workload.connections ?? 64) * (kind.alone || workload.alone ? 1 : entries.length) + 200
  if (needed > openFiles()) {
    console.error(`SKIPPED: ${name} needs ${needed} open files, and there may be ${openFiles()}: raise ulimit -n`)
    return
  }
  const began = performance.now()
  const samples = new Map(entries.map(entry => [entry.name, []]))
  for (let pass = 0; pass < Number(values.processes); pass++) {
    if (kind.alone || workload.alone) {
      for (const entry of shuffled(entries)) await takeTurns(kind, workload, [entry], samples)
    } else {
      await takeTurns(kind, workload, entries, samples)
    }
  }
  const { title, unit } = workload
  const seconds = Math.round((performance.now() - began) / 1000)
  const contestants = entries
    .filter(entry => samples.get(entry.name).length > 0)
    .map(entry => ({ name: entry.name, title: entry.title, ...summarize(samples.get(entry.name)) }))
  results.workloads[name] = { title, unit, seconds, contestants }
  console.log(`\n${name}: ${title} (${seconds} s)\n${formatTable(contestants)}`)
  await save()
}

/** Starts them all, then rounds in random order, and ends them; a contestant that fails is told, and left out. */
async function takeTurns(kind, workload, entries, samples) {
  const turns = await Promise.all(entries.map(entry => begin(kind, workload, entry)))
  let going = turns.filter(turn => turn !== undefined)
  const each = async (action, all) => {
    for (const turn of all) {
      try {
        const sample = await action(turn)
        if (sample) samples.get(turn.name).push(sample)
      } catch (error) {
        failed = true
        going = going.filter(other => other !== turn)
        console.error(`${turn.name} failed: ${error.stack}`)
      }
    }
  }
  await each(turn => kind.prepare(turn, workload), going)
  for (let round = 0; round < (kind.rounds ?? Number(values.rounds)); round++)
    await each(turn => kind.round(turn, workload), shuffled(going))
  await each(turn => kind.finish(turn, workload), going)
  await Promise.all(turns.map(turn => turn?.server.end()))
}

async function begin(kind, workload, { name, file, asks, env }) {
  try {
    const argv = [file, workload.serve, JSON.stringify(asks)]
    const server = await Child.start('server.js', argv, { env, execArgv: kind.execArgv })
    Object.assign(results.packages, versionsOf(server.ready.packages))
    return { name, server, load }
  } catch (error) {
    failed = true
    console.error(`${name} did not start: ${error.stack}`)
    return undefined
  }
}

function isWanted(name) {
  return wanted === undefined || wanted.includes(name) || (name === 'bare-again' && wanted.includes('bare'))
}

function shuffled(list) {
  return list
    .map(item => [Math.random(), item])
    .sort(([a], [b]) => a - b)
    .map(([, item]) => item)
}

/** The built door of a checkout. */
function buildOf(folder) {
  const door = resolve(folder, 'dist/src/index.js')
  if (!existsSync(door)) throw new Error(`${door} is not there: run npm run build in ${folder}`)
  return door
}

async function save() {
  await mkdir(dirname(values.out), { recursive: true })
  await writeFile(values.out, `${JSON.stringify(results, null, 2)}\n`)
}

/** Whether nothing costs more than in the other build, by more than the threshold. */
function passes() {
  let passed = true
  for (const [name, { contestants }] of Object.entries(results.workloads)) {
    const [mine, other] = ['palomino', 'against'].map(who => contestants.find(contestant => contestant.name === who))
    const figure = mine?.cpu === undefined ? 'rss' : 'cpu'
    const ratio = mine?.[figure] / other?.[figure]
    const isWorse = !(ratio <= 1 + Number(values.threshold))
    if (isWorse) passed = false
    console.log(`${isWorse ? 'WORSE' : 'ok   '} ${name}: ${ratio.toFixed(2)} × the other build (${figure})`)
  }
  return passed
}
