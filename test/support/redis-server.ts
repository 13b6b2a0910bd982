import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, type TestFn, type TestOptions, test } from 'node:test'
import { createClient } from 'redis'
import { sparePort } from './spare-port.js'

const CANDIDATES = [process.env.REDIS_SERVER, '/usr/bin/redis-server', '/usr/bin/valkey-server']
const executable = CANDIDATES.find(path => path !== undefined && existsSync(path))

/** Why tests that need Redis are skipped; false where they are not. */
export const skip =
  executable === undefined && 'no redis-server found: apt-get install redis-server, or set REDIS_SERVER to its path'

/** A test that starts servers of its own, or a skipped one where there are none. */
export function redisTest(name: string, fn: TestFn, options: TestOptions = {}): void {
  test(name, { skip, timeout: 60_000, ...options }, fn)
}

type Config = Readonly<Record<string, string>>

/** A Redis of this test's own, on a spare port, with its data in a temporary folder. */
export class RedisServer {
  #process: ChildProcess | undefined

  private constructor(
    readonly port: number,
    readonly folder: string,
    private readonly config: Config,
    private readonly watched: RedisServer | undefined,
  ) {}

  /**
   * The caller ends it.
   * @param watched makes it a Sentinel that watches this one as `main`
   */
  static async open(config: Config = {}, watched?: RedisServer): Promise<RedisServer> {
    for (let attempts = 5; ; attempts--) {
      const server = new RedisServer(await sparePort(), mkdtempSync(join(tmpdir(), 'palomino-redis-')), config, watched)
      try {
        await server.run()
        return server
      } catch (error) {
        await server.end()
        if (attempts === 1) throw error
      }
    }
  }

  /** Ended when the test is over. */
  static async start(t: TestContext, config: Config = {}): Promise<RedisServer> {
    const server = await RedisServer.open(config)
    t.after(() => server.end())
    return server
  }

  get url(): string {
    return `redis://127.0.0.1:${this.port}`
  }

  /** Runs it again, with what its last run left in its folder. */
  async run(): Promise<void> {
    const given = { dir: this.folder, port: `${this.port}`, bind: '127.0.0.1', save: '', ...this.config }
    const args = Object.entries(given).flatMap(([name, value]) => [`--${name}`, ...value.split(' ')])
    const command = this.watched === undefined ? args : [this.#sentinelConfig(this.watched), '--sentinel']
    const child = spawn(executable ?? '', command, { stdio: ['ignore', 'pipe', 'inherit'] })
    this.#process = child
    let log = ''
    await new Promise<void>((resolve, reject) => {
      child.stdout?.setEncoding('utf8').on('data', (text: string) => {
        log += text
        if (/Ready to accept connections|Sentinel ID is/.test(log)) resolve()
      })
      child.once('error', reject)
      child.once('exit', code => reject(new Error(`redis-server ended with ${code}:\n${log}`)))
    })
  }

  /** A Sentinel writes to its configuration, so it needs a file of its own. */
  #sentinelConfig(watched: RedisServer): string {
    const path = join(this.folder, 'sentinel.conf')
    const monitor = `monitor main 127.0.0.1 ${watched.port} 1`
    // An attempt that finds no replica to promote is made again after twice the time that it may take.
    const sentinel = [monitor, 'down-after-milliseconds main 1000', 'failover-timeout main 5000']
    const lines = [
      `port ${this.port}`,
      'bind 127.0.0.1',
      `dir ${this.folder}`,
      ...sentinel.map(line => `sentinel ${line}`),
    ]
    writeFileSync(path, `${lines.join('\n')}\n`)
    return path
  }

  /** Ends the process, and waits for that. SIGTERM lets it save, where it is configured to. */
  async stop(signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    const child = this.#process
    this.#process = undefined
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return
    child.kill(signal)
    await once(child, 'exit')
  }

  /** It no longer answers, and keeps its connections. */
  freeze(): void {
    this.#process?.kill('SIGSTOP')
  }

  thaw(): void {
    this.#process?.kill('SIGCONT')
  }

  /** Runs one command on a connection of its own. */
  async command(...words: string[]): Promise<unknown> {
    const client = createClient({ url: this.url })
    client.on('error', () => {})
    await client.connect()
    try {
      return await client.sendCommand(words)
    } finally {
      client.destroy()
    }
  }

  /** Remembers what is in it now, for `rollBack`. */
  async dump(): Promise<void> {
    await this.command('SAVE')
    copyFileSync(join(this.folder, 'dump.rdb'), join(this.folder, 'old.rdb'))
  }

  /** Starts again with what was in it at the last `dump`. */
  async rollBack(): Promise<void> {
    await this.stop()
    copyFileSync(join(this.folder, 'old.rdb'), join(this.folder, 'dump.rdb'))
    await this.run()
  }

  /** Removes its data, while it is stopped. */
  forget(): void {
    rmSync(this.folder, { recursive: true, force: true })
    mkdirSync(this.folder)
  }

  async end(): Promise<void> {
    await this.stop()
    rmSync(this.folder, { recursive: true, force: true })
  }
}
