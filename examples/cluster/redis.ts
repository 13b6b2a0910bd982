import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { sparePort } from './spare-port.js'

const FOLDERS = [...(process.env.PATH ?? '').split(delimiter), '/usr/bin', '/usr/local/bin', '/opt/homebrew/bin']
const PROGRAMS = ['redis-server', 'valkey-server'].flatMap(name => FOLDERS.map(folder => join(folder, name)))

export type RedisState = 'up' | 'down' | 'starting'

/** A Redis of the example's own, on a spare port of this machine alone, with its data in a temporary folder. */
export class LocalRedis {
  state: RedisState = 'down'
  #child: ChildProcess | undefined

  private constructor(
    private readonly program: string,
    private readonly port: number,
    private readonly folder: string,
    private readonly onChange: () => void,
  ) {}

  /** Where Redis is installed; undefined where it is not. */
  static find(): string | undefined {
    return PROGRAMS.find(path => existsSync(path))
  }

  /** Starts one. The caller ends it. */
  static async open(program: string, onChange: () => void): Promise<LocalRedis> {
    for (let attempts = 3; ; attempts--) {
      const folder = mkdtempSync(join(tmpdir(), 'palomino-cluster-'))
      const redis = new LocalRedis(program, await sparePort(), folder, onChange)
      try {
        await redis.start()
        return redis
      } catch (error) {
        await redis.end()
        if (attempts === 1) throw error
      }
    }
  }

  get url(): string {
    return `redis://127.0.0.1:${this.port}`
  }

  get pid(): number | undefined {
    return this.#child?.pid
  }

  /** Starts it with what it had when it stopped. */
  async start(): Promise<void> {
    this.#turn('starting')
    // In a process group of its own: Ctrl+C in a terminal reaches the nodes' supervisor, and Redis ends after them.
    const child = spawn(this.program, this.#flags(), { stdio: ['ignore', 'pipe', 'inherit'], detached: true })
    this.#child = child
    child.once('exit', () => {
      this.#child = undefined
      this.#turn('down')
    })
    await new Promise<void>((resolve, reject) => {
      let said = ''
      child.stdout.setEncoding('utf8').on('data', (text: string) => {
        said = (said + text).slice(-10_000)
        if (said.includes('Ready to accept connections')) resolve()
      })
      child.once('error', reject)
      child.once('exit', code => reject(new Error(`Redis ended with ${code}:\n${said}`)))
    })
    this.#turn('up')
  }

  /** Ends it; what it had stays in its folder. */
  async stop(): Promise<void> {
    const child = this.#child
    if (child === undefined) return
    child.kill('SIGTERM')
    await once(child, 'exit')
  }

  async end(): Promise<void> {
    await this.stop()
    rmSync(this.folder, { recursive: true, force: true })
  }

  /** For a process that is about to end. */
  killNow(): void {
    this.#child?.kill('SIGKILL')
    rmSync(this.folder, { recursive: true, force: true })
  }

  #flags(): string[] {
    const flags = { port: this.port, bind: '127.0.0.1', dir: this.folder, appendonly: 'yes', save: '' }
    return Object.entries({ ...flags, 'maxmemory-policy': 'noeviction' }).flatMap(([name, value]) => [
      `--${name}`,
      `${value}`,
    ])
  }

  #turn(state: RedisState): void {
    this.state = state
    this.onChange()
  }
}
