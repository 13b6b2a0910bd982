import { copyFileSync, mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { createClient } from 'redis'
import { findInstalled, LogServer, testerOf } from './log-server.js'

const program = findInstalled('redis-server', 'REDIS_SERVER', ['/usr/bin/redis-server', '/usr/bin/valkey-server'])

/** Why tests that need Redis are skipped; false where they are not. */
export const { skip } = program

export const redisTest = testerOf(program)

type Config = Readonly<Record<string, string>>

export class RedisServer extends LogServer {
  protected readonly ready = /Ready to accept connections|Sentinel ID is/

  private constructor(
    port: number,
    private readonly config: Config,
    private readonly watched: RedisServer | undefined,
  ) {
    super(port, program, 'redis')
  }

  /**
   * The caller ends it.
   * @param watched makes it a Sentinel that watches this one as `main`
   */
  static open(config: Config = {}, watched?: RedisServer): Promise<RedisServer> {
    return LogServer.opened(port => new RedisServer(port, config, watched))
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

  protected get args(): string[] {
    if (this.watched !== undefined) return [this.#sentinelConfig(this.watched), '--sentinel']
    const given = { dir: this.folder, port: `${this.port}`, bind: '127.0.0.1', save: '', ...this.config }
    return Object.entries(given).flatMap(([name, value]) => [`--${name}`, ...value.split(' ')])
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

  async wipe(): Promise<void> {
    await this.command('FLUSHALL')
  }

  async said(): Promise<number> {
    return Number(await this.command('XLEN', 'palomino:{r}:tail'))
  }

  async dump(): Promise<void> {
    await this.command('SAVE')
    copyFileSync(join(this.folder, 'dump.rdb'), join(this.folder, 'old.rdb'))
  }

  async rollBack(): Promise<void> {
    await this.stop()
    copyFileSync(join(this.folder, 'old.rdb'), join(this.folder, 'dump.rdb'))
    await this.run()
  }

  protected forget(): void {
    rmSync(this.folder, { recursive: true, force: true })
    mkdirSync(this.folder)
  }
}
