import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestFn, type TestOptions, test } from 'node:test'
import { sparePort } from './spare-port.js'

/** A program that the tests need, and why they are skipped where it is not to be had; false where it is. */
export interface Installed {
  readonly path: string
  readonly skip: string | false
}

/** The first that exists of some paths. */
export function findInstalled(name: string, variable: string, paths: readonly string[]): Installed {
  const path = [process.env[variable], ...paths].find(each => each !== undefined && existsSync(each))
  const skip = path === undefined && `no ${name} found: apt-get install ${name}, or set ${variable} to its path`
  return { path: path ?? '', skip }
}

/** Makes tests that start servers of their own, or skipped ones where there are none. */
export function testerOf({ skip }: Installed) {
  return (name: string, fn: TestFn, options: TestOptions = {}): void =>
    void test(name, { skip, timeout: 60_000, ...options }, fn)
}

/** A server of a test's own that keeps logs, on a spare port, with its data in a temporary folder. */
export abstract class LogServer {
  readonly folder: string
  #process: ChildProcess | undefined

  protected constructor(
    readonly port: number,
    private readonly program: Installed,
    name: string,
  ) {
    this.folder = mkdtempSync(join(tmpdir(), `palomino-${name}-`))
  }

  /** Runs what `make` makes for a spare port, which somebody else may have taken by then. The caller ends it. */
  protected static async opened<Server extends LogServer>(make: (port: number) => Server): Promise<Server> {
    for (let attempts = 5; ; attempts--) {
      const server = make(await sparePort())
      try {
        await server.run()
        return server
      } catch (error) {
        await server.end()
        if (attempts === 1) throw error
      }
    }
  }

  /** What the program is given … */
  protected abstract get args(): readonly string[]
  /** … and what it says when it can be had. */
  protected abstract readonly ready: RegExp

  /** Removes its data, while it is stopped. */
  protected abstract forget(): void

  /** Deletes all that is in it, while it runs. */
  abstract wipe(): Promise<void>

  /** Remembers what is in it now, for `rollBack`. */
  abstract dump(): Promise<void>

  /** Starts again with what was in it at the last `dump`. */
  abstract rollBack(): Promise<void>

  /** How much was said in the registry `r`. */
  abstract said(): Promise<number>

  /** Runs it again, with what its last run left in its folder. */
  async run(): Promise<void> {
    const child = spawn(this.program.path, this.args, { stdio: ['ignore', 'pipe', 'pipe'] })
    this.#process = child
    let log = ''
    await new Promise<void>((resolve, reject) => {
      const hear = (text: string) => {
        log += text
        if (this.ready.test(log)) resolve()
      }
      child.stdout?.setEncoding('utf8').on('data', hear)
      child.stderr?.setEncoding('utf8').on('data', hear)
      child.once('error', reject)
      child.once('exit', code => reject(new Error(`${this.program.path} ended with ${code}:\n${log}`)))
    })
  }

  /** Ends the process, and waits for that. SIGTERM lets it save, where it is configured to. */
  async stop(signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    const child = this.#process
    this.#process = undefined
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return
    child.kill(signal)
    await once(child, 'exit')
  }

  /** Starts again without what was in it. */
  async runEmpty(): Promise<void> {
    this.forget()
    await this.run()
  }

  /** It no longer answers, and keeps its connections. */
  freeze(): void {
    this.#process?.kill('SIGSTOP')
  }

  thaw(): void {
    this.#process?.kill('SIGCONT')
  }

  async end(): Promise<void> {
    await this.stop()
    rmSync(this.folder, { recursive: true, force: true })
  }
}
