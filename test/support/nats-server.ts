import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { cpSync, existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, type TestFn, type TestOptions, test } from 'node:test'
import { jetstreamManager } from '@nats-io/jetstream'
import { connect, type NatsConnection } from '@nats-io/transport-node'
import { sparePort } from './spare-port.js'

const CANDIDATES = [
  process.env.NATS_SERVER,
  '/usr/sbin/nats-server',
  '/usr/bin/nats-server',
  '/usr/local/bin/nats-server',
]
const executable = CANDIDATES.find(path => path !== undefined && existsSync(path))

/** Why tests that need NATS are skipped; false where they are not. */
export const skip =
  executable === undefined && 'no nats-server found: apt-get install nats-server, or set NATS_SERVER to its path'

/** A test that starts servers of its own, or a skipped one where there are none. */
export function natsTest(name: string, fn: TestFn, options: TestOptions = {}): void {
  test(name, { skip, timeout: 60_000, ...options }, fn)
}

/** A NATS with JetStream of this test's own, on a spare port, with its data in a temporary folder. */
export class NatsServer {
  #process: ChildProcess | undefined

  private constructor(
    readonly port: number,
    readonly folder: string,
    private readonly flags: readonly string[],
  ) {}

  /** The caller ends it. */
  static async open(flags: readonly string[] = ['--jetstream']): Promise<NatsServer> {
    for (let attempts = 5; ; attempts--) {
      const server = new NatsServer(await sparePort(), mkdtempSync(join(tmpdir(), 'palomino-nats-')), flags)
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
  static async start(t: TestContext, flags?: readonly string[]): Promise<NatsServer> {
    const server = await NatsServer.open(flags)
    t.after(() => server.end())
    return server
  }

  /** Three that keep their streams together; all of them know each other. Ended when the test is over. */
  static async startCluster(t: TestContext): Promise<NatsServer[]> {
    const ports = [await sparePort(), await sparePort(), await sparePort()]
    const routes = ports.map(port => `nats://127.0.0.1:${port}`)
    const flagsOf = (n: number) => [
      ...['--jetstream', '--server_name', `server${n}`, '--cluster_name', 'cluster'],
      ...['--cluster', routes[n] ?? '', '--routes', routes.join()],
    ]
    const servers: NatsServer[] = []
    t.after(() => Promise.all(servers.map(server => server.end())))
    for (const n of ports.keys()) servers.push(await NatsServer.open(flagsOf(n)))
    return servers
  }

  get url(): string {
    return `127.0.0.1:${this.port}`
  }

  get #data(): string {
    return join(this.folder, 'data')
  }

  /** Runs it again, with what its last run left in its folder. */
  async run(): Promise<void> {
    const where = ['--addr', '127.0.0.1', '--port', `${this.port}`, '--store_dir', this.#data]
    const child = spawn(executable ?? '', [...where, ...this.flags], { stdio: ['ignore', 'ignore', 'pipe'] })
    this.#process = child
    let log = ''
    await new Promise<void>((resolve, reject) => {
      child.stderr?.setEncoding('utf8').on('data', (text: string) => {
        log += text
        if (/Server is ready/.test(log)) resolve()
      })
      child.once('error', reject)
      child.once('exit', code => reject(new Error(`nats-server ended with ${code}:\n${log}`)))
    })
  }

  /** Ends the process, and waits for that. */
  async stop(signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    const child = this.#process
    this.#process = undefined
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return
    child.kill(signal)
    await once(child, 'exit')
  }

  /** Starts again without what was in it. */
  async runEmpty(): Promise<void> {
    rmSync(this.#data, { recursive: true, force: true })
    await this.run()
  }

  /** It no longer answers, and keeps its connections. */
  freeze(): void {
    this.#process?.kill('SIGSTOP')
  }

  thaw(): void {
    this.#process?.kill('SIGCONT')
  }

  /** Remembers what is in it now, for `rollBack`; it starts again for that. */
  async dump(): Promise<void> {
    await this.stop('SIGTERM')
    cpSync(this.#data, join(this.folder, 'old'), { recursive: true })
    await this.run()
  }

  /** Starts again with what was in it at the last `dump`. */
  async rollBack(): Promise<void> {
    await this.stop()
    rmSync(this.#data, { recursive: true, force: true })
    cpSync(join(this.folder, 'old'), this.#data, { recursive: true })
    await this.run()
  }

  /** What its streams are, and hold, before something is done to each. */
  async streams(change?: 'delete' | 'purge'): Promise<{ name: string; messages: number; last: number }[]> {
    return this.#connected(async connection => {
      const { streams } = await jetstreamManager(connection)
      const found = await streams.list().next()
      for (const { config } of found) if (change !== undefined) await streams[change](config.name)
      return found.map(({ config, state }) => ({ name: config.name, messages: state.messages, last: state.last_seq }))
    })
  }

  async publish(subject: string, payload: string): Promise<void> {
    await this.#connected(async connection => {
      connection.publish(subject, payload)
      await connection.flush()
    })
  }

  /** Does something on a connection of its own. */
  async #connected<T>(run: (connection: NatsConnection) => Promise<T>): Promise<T> {
    const connection = await connect({ servers: this.url, reconnect: false })
    try {
      return await run(connection)
    } finally {
      await connection.close()
    }
  }

  async end(): Promise<void> {
    await this.stop()
    rmSync(this.folder, { recursive: true, force: true })
  }
}
