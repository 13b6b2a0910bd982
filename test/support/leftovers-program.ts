/** Starts a process that goes on by itself, and one that is frozen; says which; and goes as it is told. */
import { spawn } from 'node:child_process'

const start = () =>
  spawn(process.execPath, ['--eval', 'setInterval(() => {}, 1000)'], { detached: true, stdio: 'ignore' })
const [going, frozen] = [start(), start()]
frozen.kill('SIGSTOP')
process.on('message', () => process.exit(1))
process.send?.([going.pid, frozen.pid])
