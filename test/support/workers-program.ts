/** Runs the program `workers-app`, and talks to its primary. */
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { request } from 'node:http'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { eventually } from './eventually.js'
import type { Plan, Told } from './workers-app.js'

export class Program {
  readonly #told: Told[] = []
  errors = ''
  port = 0
  url: string | undefined
  /** Its exit code and the signal that killed it, whichever there was; all that it wrote was read. */
  readonly ended: Promise<unknown[]>

  private constructor(readonly child: ChildProcess) {
    this.ended = once(child, 'close')
    child.on('message', (told: Told) => this.#told.push(told))
    child.stderr?.setEncoding('utf8').on('data', text => {
      this.errors += text
    })
  }

  /** Starts it, and does not wait. Its workers end when it does. */
  static start(t: TestContext, plan: Plan): Program {
    const child = fork(join(import.meta.dirname, 'workers-app.js'), [JSON.stringify(plan)], {
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
      execArgv: [],
    })
    t.after(() => child.kill('SIGKILL'))
    return new Program(child)
  }

  /** Resolves when all workers serve. */
  static async serve(t: TestContext, plan: Plan): Promise<Program> {
    const program = Program.start(t, plan)
    const early = program.ended.then(() => Promise.reject(new Error(`it ended: ${program.errors}`)))
    const told = await Promise.race([program.#find(told => 'port' in told), early])
    if (!('port' in told)) throw new Error('no port')
    program.port = told.port
    program.url = told.url
    return program
  }

  /** When workers were forked, in milliseconds of the program's own clock. */
  get forks(): number[] {
    return this.#told.flatMap(told => ('forked' in told ? [told.forked] : []))
  }

  async pids(): Promise<readonly number[]> {
    this.child.send('pids')
    const told = await this.#take(told => 'pids' in told)
    return 'pids' in told ? told.pids : []
  }

  /** Has the primary do something; what it rejected with, else undefined. */
  async do(ask: 'restart' | 'close' | 'serve'): Promise<string | undefined> {
    this.child.send(ask)
    const told = await this.#take(told => 'done' in told && told.done === ask)
    return 'done' in told ? told.error : undefined
  }

  /** Sends ticks to all, until `stop` is called, which answers the last. */
  tick(): () => Promise<number> {
    this.child.send('tick')
    return async () => {
      this.child.send('tick no more')
      const told = await this.#take(told => 'last' in told)
      return 'last' in told ? told.last : -1
    }
  }

  #find(matches: (told: Told) => boolean): Promise<Told> {
    return eventually('the primary answers', () => this.#told.find(matches), { timeout: 60_000 })
  }

  async #take(matches: (told: Told) => boolean): Promise<Told> {
    const told = await this.#find(matches)
    this.#told.splice(this.#told.indexOf(told), 1)
    return told
  }

  /** Asks over a connection of its own. */
  ask(path: string, method = 'GET'): Promise<{ readonly status: number; readonly text: string }> {
    return ask({ port: this.port }, path, method)
  }

  /** Connects until it has come to so many processes. */
  async reach(processes: number): Promise<ReadonlySet<number>> {
    const pids = new Set<number>()
    const isEnough = async () => pids.add(await this.pid()).size >= processes
    await eventually(`${processes} processes are reached`, isEnough, { timeout: 60_000 })
    return pids
  }

  /** The process that a new connection comes to. */
  async pid(): Promise<number> {
    return JSON.parse((await this.ask('/pid')).text).pid
  }
}

export function ask(
  to: { readonly port: number } | { readonly socketPath: string },
  path: string,
  method = 'GET',
): Promise<{ readonly status: number; readonly text: string }> {
  return new Promise((resolve, reject) => {
    const asked = request({ host: '127.0.0.1', ...to, path, method, agent: false }, response => {
      let text = ''
      response.setEncoding('utf8').on('data', part => {
        text += part
      })
      response.on('end', () => resolve({ status: response.statusCode ?? 0, text }))
      response.on('error', reject)
    })
    asked.on('error', reject).end()
  })
}

/** Whether a process lives. */
export function lives(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}
