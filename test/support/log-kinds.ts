/** The servers that keep a log for many nodes, for suites that go for each of them. */
import type { TestContext } from 'node:test'
import type { EventLog, LogRetention, OpenEventLog } from '../../src/index.js'
import { type NatsEventLogOptions, natsEventLog } from '../../src/logs/nats.js'
import { type RedisEventLogOptions, redisEventLog } from '../../src/logs/redis.js'
import { Node } from '../contract/event-log.js'
import { LogBook } from './app.js'
import { CuttableWire } from './cuttable-wire.js'
import type { LogServer, testerOf } from './log-server.js'
import { NatsServer, natsTest, skip as skipNats } from './nats-server.js'
import { RedisServer, redisTest, skip as skipRedis } from './redis-server.js'
import { plenty } from './registry-peers.js'

type CommonOptions = Pick<RedisEventLogOptions & NatsEventLogOptions, 'patience' | 'waiting' | 'onHealth'>

export interface LogKind<Options extends CommonOptions = CommonOptions, Server extends LogServer = LogServer> {
  readonly name: 'Redis' | 'NATS'
  /** Why tests that need it are skipped; false where they are not. */
  readonly skip: string | false
  readonly test: ReturnType<typeof testerOf>
  /** Peers that saw what was lost are told so also where no node is left that knows of it. */
  readonly remembersLoss: boolean
  /**
   * Ended when the test is over.
   * @param lasting it has all that was said when it is started again
   */
  start(t: TestContext, lasting?: 'lasting'): Promise<Server>
  /** @param port of a server, or of a wire to one */
  log(port: number, options?: Options): OpenEventLog
}

export const redis: LogKind<RedisEventLogOptions, RedisServer> = {
  name: 'Redis',
  skip: skipRedis,
  test: redisTest,
  remembersLoss: true,
  start: (t, lasting) => RedisServer.start(t, lasting && { appendonly: 'yes', appendfsync: 'always' }),
  log: (port, options) => redisEventLog({ url: `redis://127.0.0.1:${port}`, patience: 15_000, ...options }),
}

export const nats: LogKind<NatsEventLogOptions, NatsServer> = {
  name: 'NATS',
  skip: skipNats,
  test: natsTest,
  remembersLoss: false,
  start: t => NatsServer.start(t),
  log: (port, options) => natsEventLog({ servers: `127.0.0.1:${port}`, patience: 15_000, ...options }),
}

type Setup<Options> = Options & { readonly kept?: LogRetention; readonly book?: LogBook }

/** A log of the registry `r`, which is stopped when the test is over. */
export async function openLog<Options extends CommonOptions>(
  t: TestContext,
  kind: LogKind<Options>,
  port: number,
  setup?: Setup<Options>,
): Promise<EventLog> {
  const { kept, book = new LogBook(), ...options } = setup ?? ({} as Setup<Options>)
  const log = await kind.log(port, options as unknown as Options)('r', { ...plenty, ...kept }, book)
  t.after(() => log.stop())
  return log
}

/** A node that listens to such a log. */
export async function startNode<Options extends CommonOptions>(
  t: TestContext,
  kind: LogKind<Options>,
  port: number,
  setup?: Setup<Options>,
): Promise<Node> {
  return new Node(await openLog(t, kind, port, setup)).start()
}

/** A log that is reached by a wire, and what was logged of it. */
export async function behindWire<Options extends CommonOptions, Server extends LogServer>(
  t: TestContext,
  kind: LogKind<Options, Server>,
  options?: Options,
) {
  const server = await kind.start(t)
  const wire = await CuttableWire.to(server.port)
  t.after(() => wire.close())
  const book = new LogBook()
  const log = await openLog(t, kind, wire.port, { ...(options ?? ({} as Options)), book })
  return { server, wire, log, book }
}
