import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { after, before, type TestContext } from 'node:test'
import { type AbstractClass, type Application, type ApplicationOptions, bootstrap } from 'palomino'
import { root } from './paths.js'

export interface Served {
  readonly app: Application
  readonly origin: string
}

/** A module that is served on a spare port for all tests of a file; its members are there once the tests run. */
export function served(module: AbstractClass, options: ApplicationOptions = {}): Served {
  let app: Application
  before(async () => {
    app = await bootstrap(module, { port: 0, signals: false, ...options })
  })
  after(() => app.close({ deadline: 0 }))
  return {
    get app() {
      return app
    },
    get origin() {
      return `http://127.0.0.1:${app.port}`
    },
  }
}

/** Starts an example as a program of its own, and reads what it prints until it names its address. It is ended with the test. */
export async function startExample(t: TestContext, file: string, env: Readonly<Record<string, string>> = {}) {
  const program = spawn(process.execPath, [join(root, 'dist/examples', file)], {
    env: { ...process.env, PORT: '0', ...env },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const exited = once(program, 'exit')
  t.after(async () => {
    program.kill('SIGTERM') // those that have processes of their own end them
    await exited
  })
  const printed: string[] = []
  for await (const line of createInterface(program.stdout)) {
    printed.push(line)
    const [, port] = /at http:\/\/localhost:(\d+)$/.exec(line) ?? []
    if (port !== undefined) return { program, exited, printed, origin: `http://127.0.0.1:${port}` }
  }
  throw new Error(`${file} ended:\n${printed.join('\n')}`)
}
