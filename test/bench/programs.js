/** Programs that some contestants need beside Node.js: where they are, and one of them in a run of its own. */
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync } from 'node:fs'
import { connect, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { HOST } from './fixtures.js'

/** How each is run, with a log that is as durable as it is by default. */
const PROGRAMS = {
  'redis-server': (port, folder) => ['--port', port, '--bind', HOST, '--dir', folder, '--save', ''],
  'nats-server': (port, folder) => ['--port', port, '--addr', HOST, '--store_dir', folder, '--jetstream'],
}

export function isInstalled(program) {
  return spawnSync('sh', ['-c', `command -v ${program}`]).status === 0
}

/** Runs it on a spare port until this process ends, however it does; then what it stored goes, too. */
export async function startProgram(program) {
  const port = await sparePort()
  const folder = mkdtempSync(join(tmpdir(), 'palomino-bench-'))
  const untilOver = '"$@" > "$0/log" 2>&1 & echo $!; cat > /dev/null; kill $!; wait; rm -rf "$0"'
  const argv = [program, ...PROGRAMS[program](port, folder)].map(String)
  const shell = spawn('sh', ['-c', untilOver, folder, ...argv], { stdio: ['pipe', 'pipe', 'inherit'] })
  const [pid] = await once(shell.stdout.setEncoding('utf8'), 'data')
  for (let tries = 0; !(await answers(port)); tries++) {
    if (tries === 200) throw new Error(`${program} does not answer:\n${readFileSync(join(folder, 'log'), 'utf8')}`)
    await wait(25)
  }
  return { port, cpu: () => cpuOf(Number(pid)) }
}

/** Microseconds of CPU time of a process so far; Linux counts in hundredths of a second. */
export function cpuOf(pid) {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ').at(-1).split(' ')
  return (Number(fields[11]) + Number(fields[12])) * 10_000
}

export async function sparePort() {
  const server = createServer().listen(0, HOST)
  await once(server, 'listening')
  const { port } = server.address()
  await new Promise(resolve => server.close(resolve))
  return port
}

async function answers(port) {
  const socket = connect(port, HOST)
  try {
    await once(socket, 'connect')
    return true
  } catch {
    return false
  } finally {
    socket.destroy()
  }
}
