import { cpSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { jetstreamManager } from '@nats-io/jetstream'
import { connect, type NatsConnection } from '@nats-io/transport-node'
import { findInstalled, LogServer, testerOf } from './log-server.js'
import { sparePort } from './spare-port.js'

const program = findInstalled('nats-server', 'NATS_SERVER', [
  '/usr/sbin/nats-server',
  '/usr/bin/nats-server',
  '/usr/local/bin/nats-server',
])

/** Why tests that need NATS are skipped; false where they are not. */
export const { skip } = program

export const natsTest = testerOf(program)

/** A NATS, with JetStream unless its flags say something else. */
export class NatsServer extends LogServer {
  protected readonly ready = /Server is ready/

  private constructor(
    port: number,
    private readonly flags: readonly string[],
  ) {
    super(port, program, 'nats')
  }

  /** The caller ends it. */
  static open(flags: readonly string[] = ['--jetstream']): Promise<NatsServer> {
    return LogServer.opened(port => new NatsServer(port, flags))
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

  protected get args(): string[] {
    return ['--addr', '127.0.0.1', '--port', `${this.port}`, '--store_dir', this.#data, ...this.flags]
  }

  protected forget(): void {
    rmSync(this.#data, { recursive: true, force: true })
  }

  async wipe(): Promise<void> {
    await this.streams('delete')
  }

  /** The pin aside. */
  async said(): Promise<number> {
    return ((await this.streams())[0]?.last ?? 1) - 1
  }

  /** It starts again for that. */
  async dump(): Promise<void> {
    await this.stop('SIGTERM')
    cpSync(this.#data, join(this.folder, 'old'), { recursive: true })
    await this.run()
  }

  async rollBack(): Promise<void> {
    await this.stop()
    this.forget()
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

  /** Whether all servers that keep its streams have all of them: then any one may be killed. */
  async isWhole(): Promise<boolean> {
    return this.#connected(async connection => {
      const { streams } = await jetstreamManager(connection)
      const found = await streams.list().next()
      return found.every(({ cluster: { leader, replicas = [] } = {} }) => {
        return leader !== undefined && replicas.every(({ current, offline }) => current && offline !== true)
      })
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
}
