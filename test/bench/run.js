/** Measures: `npm run bench -- --workload sse,echo --contestant palomino,fastify --rounds 3 --processes 4`. */
import { existsSync } from 'node:fs'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { Child } from './child.js'
import { checkContestant, contestantsOf, whyNot } from './contestants.js'
import { commitOf, machine, openFiles, versionsOf } from './machine.js'
import { formatTable, summarize } from './summary.js'
import { chosen, workloads } from './workloads.js'

const here = import.meta.dirname
const { values } = parseArgs({
  options: {
    workload: { type: 'string', short: 'w' },
    contestant: { type: 'string', short: 'c' },
    rounds: { type: 'string', default: '3' },
    processes: { type: 'string', default: '4' },
    minutes: { type: 'string', default: '30' },
    palomino: { type: 'string', default: resolve(here, '../..') },
    against: { type: 'string' },
    threshold: { type: 'string', default: '0.15' },
    hold: { type: 'string', default: '10' },
    profile: { type: 'string' },
    out: { type: 'string' },
  },
})

/** What a process has open besides its connections. */
const SPARE_FILES = 150

const builds = { palomino: buildOf(values.palomino), against: values.against && buildOf(values.against) }
const profile = values.profile && resolve(values.profile)
const names = chosen(values.workload?.split(','))
const wanted = values.contestant?.split(',') ?? (values.against && ['palomino', 'against'])
const out = values.out ?? resolve(here, 'results', values.against === undefined ? 'latest.json' : 'against.json')
const results = await earlier()
const measured = []
for (const name of wanted ?? []) checkContestant(name)
const load = await Child.start('load.js', [])
let failed = false
try {
  for (const [index, name] of names.entries()) await measure(name, workloads[name], shareOf(names.length - index))
  await save()
} finally {
  await load.end()
}
if (values.against !== undefined && !passes()) failed = true
process.exit(failed ? 1 : 0)

/** Milliseconds for the next workload: what is left, over all that are left. */
function shareOf(left) {
  return (Number(values.minutes) * 60_000 - performance.now()) / left
}

/** A workload, or each of its sizes; what it is takes its place in the results. */
async function measure(name, workload, share) {
  const kind = await import(`./kinds/${workload.kind}.js`)
  const { title, unit, over, points } = workload
  const how = {
    measured: new Date().toISOString(),
    build: commitOf(values.palomino),
    machine: machine(),
    rounds: roundsOf(kind),
  }
  if (points === undefined) {
    const fit = fitted({ ...workload, hold: Number(values.hold) })
    const sampled = await sample(name, kind, fit, share)
    if (sampled === undefined) return
    const isLess = fit.connections < workload.connections
    results.workloads[name] = { title: isLess ? `${title} (here ${fit.connections})` : title, unit, ...how, ...sampled }
  } else {
    const sizes = []
    for (const at of points) {
      const size = { ...workload, ...workload.at(at) }
      const fit = fitted(size)
      const sampled = await sample(`${name} at ${at}`, kind, fit, share / points.length)
      const isLess = fit.connections < size.connections
      if (sampled !== undefined && sampled.contestants.length > 0)
        sizes.push({ at: isLess ? fit.connections : at, ...sampled })
    }
    results.workloads[name] = { title, unit, over, ...how, points: sizes }
  }
  measured.push(name)
  await save()
}

/** With as many connections as there may be open files. */
function fitted(workload) {
  const most = openFiles() - SPARE_FILES
  return workload.connections > most ? { ...workload, connections: most } : workload
}

/** As many passes, each in fresh processes, as were asked for and fit into the share; one at the least. */
async function sample(name, kind, workload, share) {
  const entries = contestantsOf(workload, builds).filter(entry => isWanted(entry.name) && canRun(name, entry))
  const needed = (workload.connections ?? 64) * (kind.alone || workload.alone ? 1 : entries.length) + SPARE_FILES
  if (needed > openFiles()) {
    console.error(`SKIPPED: ${name} needs ${needed} open files, and there may be ${openFiles()}: raise ulimit -n`)
    return undefined
  }
  const began = performance.now()
  const samples = new Map(entries.map(entry => [entry.name, []]))
  let processes = 0
  const fits = () => processes === 0 || ((performance.now() - began) / processes) * (processes + 1) < share
  for (; processes < Number(values.processes) && fits(); processes++) {
    if (kind.alone || workload.alone) {
      for (const entry of shuffled(entries)) await takeTurns(kind, workload, [entry], samples)
    } else {
      await takeTurns(kind, workload, entries, samples)
    }
  }
  const seconds = Math.round((performance.now() - began) / 1000)
  const contestants = entries
    .filter(entry => samples.get(entry.name).length > 0)
    .map(entry => ({ name: entry.name, title: entry.title, ...summarize(samples.get(entry.name)) }))
  console.log(`\n${name}: ${workload.title} (${seconds} s)\n${formatTable(contestants)}`)
  return { processes, seconds, contestants }
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
  for (let round = 0; round < roundsOf(kind); round++) await each(turn => kind.round(turn, workload), shuffled(going))
  await each(turn => kind.finish(turn, workload), going)
  await Promise.all(turns.map(turn => turn?.server.end(profile === undefined ? 'SIGKILL' : 'SIGUSR2')))
}

async function begin(kind, workload, { name, file, asks, env }) {
  try {
    const argv = [file, workload.serve, JSON.stringify(asks)]
    const execArgv = [
      ...(kind.execArgv ?? []),
      ...(workload.execArgv ?? []),
      ...(profile === undefined ? [] : profileTo(name, workload.serve, profile)),
    ]
    // What peers have to say of their own listeners and deprecations is not for this table.
    const quiet = file === 'palomino' ? {} : { NODE_NO_WARNINGS: '1' }
    const server = await Child.start('server.js', argv, { env: { ...env, ...quiet }, execArgv })
    Object.assign(results.packages, versionsOf(server.ready.packages))
    return { name, server, load }
  } catch (error) {
    failed = true
    console.error(`${name} did not start: ${error.stack}`)
    return undefined
  }
}

/** A CPU profile of each process, to be opened in a browser's developer tools or in speedscope. */
function profileTo(name, serve, folder) {
  return ['--cpu-prof', `--cpu-prof-dir=${folder}`, `--cpu-prof-name=${name}-${serve}-${Date.now()}.cpuprofile`]
}

/** Tells loudly of one that cannot. */
function canRun(workload, entry) {
  const why = whyNot(entry)
  if (why !== undefined) console.error(`SKIPPED: ${entry.title} in ${workload}: ${why}`)
  return why === undefined
}

function roundsOf(kind) {
  return kind.rounds ?? Number(values.rounds)
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

/** The built door of a checkout: of an older one, whose modules were published as they are, that of those. */
function buildOf(folder) {
  const doors = ['package', 'src'].map(place => resolve(folder, 'dist', place, 'index.js'))
  const door = doors.find(existsSync)
  if (door === undefined) throw new Error(`${doors[0]} is not there: run npm run build in ${folder}`)
  return door
}

/** A selection takes the place of what the file says of it; the rest stays. */
async function earlier() {
  if (!existsSync(out)) return { packages: {}, workloads: {} }
  return JSON.parse(await readFile(out, 'utf8'))
}

async function save() {
  await mkdir(dirname(out), { recursive: true })
  await writeFile(out, `${JSON.stringify(results, null, 2)}\n`)
}

/** Whether nothing costs more than in the other build, by more than the threshold. */
function passes() {
  let passed = true
  for (const name of measured) {
    const { contestants = results.workloads[name].points?.at(-1)?.contestants ?? [] } = results.workloads[name]
    const [mine, other] = ['palomino', 'against'].map(who => contestants.find(contestant => contestant.name === who))
    const figure = ['cpu', 'startup', 'waited', 'rss'].find(name => mine?.[name] !== undefined)
    const ratio = mine?.[figure] / other?.[figure]
    const isWorse = !(ratio <= 1 + Number(values.threshold))
    if (isWorse) passed = false
    console.log(`${isWorse ? 'WORSE' : 'ok   '} ${name}: ${ratio.toFixed(2)} × the other build (${figure})`)
  }
  return passed
}
