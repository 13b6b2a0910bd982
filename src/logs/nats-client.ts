/** What is used of the packages of NATS: the only file that sees them. They are loaded when the first log is opened. */
import type { JetStreamManager, PubAck } from '@nats-io/jetstream'
import type { ConnectionOptions, Msg, NatsConnection } from '@nats-io/transport-node'
import type { Fate } from './link.js'
import { Unsent } from './nats-failures.js'
import { isControl, readStored, type Stored } from './nats-stored.js'

export type { ConnectionOptions }

/** The state of a stream. */
export interface StreamState {
  readonly name: string
  readonly messages: number
  readonly first: number
  readonly last: number
  readonly config: StreamConfig
}

/** Milliseconds and bytes. */
export interface StreamConfig {
  readonly count: number
  readonly bytes: number
  readonly age: number
  readonly countPerSubject: number
  /** How long something that is sent again is known. */
  readonly window: number
  readonly replicas: number
}

/** Milliseconds without a word of the server after which a reader takes itself for lost. */
const SILENCE = { heartbeat: 1000, lost: 4000 }
/** Milliseconds that the server has to answer what is asked of it about streams. */
const ANSWERING = 4000
/** Milliseconds after which the server lets go of the reader of a node that is gone. */
const ABANDONED = 30_000

type Packages = typeof import('@nats-io/transport-node') & typeof import('@nats-io/jetstream')

export async function loadPackages(): Promise<Packages> {
  try {
    return { ...(await import('@nats-io/transport-node')), ...(await import('@nats-io/jetstream')) }
  } catch (cause) {
    const install = 'npm install @nats-io/transport-node @nats-io/jetstream'
    throw new Error(`palomino/nats needs the packages of NATS: ${install}`, { cause })
  }
}

/** One connection to NATS. It is not made again when it is lost. */
export class NatsClient {
  private constructor(
    private readonly packages: Packages,
    private readonly connection: NatsConnection,
    private readonly streams: JetStreamManager,
    private readonly inboxPrefix: string | undefined,
  ) {}

  static async connect(options: ConnectionOptions, { lose }: Fate): Promise<NatsClient> {
    const packages = await loadPackages()
    const connection = await packages.connect({
      pingInterval: 5000,
      timeout: 5000,
      ...options,
      reconnect: false,
      noAsyncTraces: true,
    })
    connection.closed().then(error => lose(error ?? new Error('the connection to NATS was closed')))
    const streams = await packages.jetstreamManager(connection, { checkAPI: false, timeout: ANSWERING })
    return new NatsClient(packages, connection, streams, options.inboxPrefix)
  }

  async close(): Promise<void> {
    await this.connection.drain()
  }

  async destroy(): Promise<void> {
    await this.connection.close()
  }

  /**
   * Puts something into the stream of a subject; where it lies there already, it is not put there again.
   * @param onlyOne the stream that it must be, where nothing may lie under this subject
   */
  async publish(subject: string, payload: string, token: string, ms: number, onlyOne?: string): Promise<PubAck> {
    if (this.connection.isClosed()) throw new Unsent()
    const sent = { msgID: token, timeout: Math.ceil(ms), retries: 1 }
    const jetstream = this.streams.jetstream()
    if (onlyOne === undefined) return jetstream.publish(subject, payload, sent)
    try {
      return await jetstream.publish(subject, payload, {
        ...sent,
        expect: { streamName: onlyOne, lastSubjectSequence: 0 },
      })
    } catch (error) {
      const [, at] = /wrong last sequence: (\d+)/.exec(String(error)) ?? []
      if (at === undefined) throw error
      return { stream: onlyOne, seq: Number(at), duplicate: true }
    }
  }

  /** The name of the stream that holds a subject. */
  async find(subject: string): Promise<string | undefined> {
    return found(this.streams.streams.find(subject))
  }

  async state(stream: string): Promise<StreamState | undefined> {
    const info = await found(this.streams.streams.info(stream))
    if (info === undefined) return undefined
    const { config, state } = info
    return {
      name: config.name,
      messages: state.messages,
      first: state.messages === 0 ? state.last_seq + 1 : state.first_seq,
      last: state.last_seq,
      config: {
        count: config.max_msgs,
        bytes: config.max_bytes,
        age: config.max_age / 1e6,
        countPerSubject: config.max_msgs_per_subject,
        window: config.duplicate_window / 1e6,
        replicas: config.num_replicas,
      },
    }
  }

  async create(name: string, subject: string, config: StreamConfig): Promise<void> {
    const { DiscardPolicy, RetentionPolicy, StorageType } = this.packages
    await this.streams.streams.add({
      name,
      subjects: [subject],
      storage: StorageType.File,
      retention: RetentionPolicy.Limits,
      discard: DiscardPolicy.Old,
      ...this.#limits(config),
    })
  }

  async change(name: string, config: StreamConfig): Promise<void> {
    await this.streams.streams.update(name, this.#limits(config))
  }

  async delete(name: string): Promise<void> {
    await found(this.streams.streams.delete(name))
  }

  /**
   * Reads a stream from a place in it, and on as it grows, until `hear` answers `false`, or throws, or `signal` aborts.
   * Rejects where it was lost.
   */
  async read(stream: string, from: number, signal: AbortSignal, hear: (stored: Stored) => boolean): Promise<void> {
    const inbox = this.packages.createInbox(this.inboxPrefix)
    let reader: string | undefined
    const watching = new AbortController()
    try {
      const read = this.#subscribe(inbox, AbortSignal.any([signal, watching.signal]), hear)
      read.catch(() => {})
      reader = await this.#createReader(stream, from, inbox)
      await read
    } finally {
      watching.abort()
      const isOpen = !this.connection.isClosed()
      if (reader !== undefined && isOpen) await this.streams.consumers.delete(stream, reader).catch(() => {})
    }
  }

  #subscribe(inbox: string, signal: AbortSignal, hear: (stored: Stored) => boolean): Promise<void> {
    return new Promise((resolve, reject) => {
      let heard = performance.now()
      const subscription = this.connection.subscribe(inbox, {
        callback: (error, message) => {
          if (error !== null) return end(error)
          heard = performance.now()
          try {
            if (isControl(message)) this.#answer(message)
            else if (!ended && !hear(readStored(message))) end()
          } catch (failure) {
            end(failure)
          }
        },
      })
      let ended = false
      const watch = setInterval(() => {
        if (performance.now() - heard > SILENCE.lost) end(new Error('NATS fell silent'))
      }, SILENCE.heartbeat).unref()
      const end = (failure?: unknown) => {
        ended = true
        clearInterval(watch)
        subscription.unsubscribe()
        if (failure === undefined) resolve()
        else reject(failure)
      }
      subscription.closed.then(() => end(new Error('the connection to NATS was closed')))
      signal.addEventListener('abort', () => end(signal.reason), { once: true })
    })
  }

  async #createReader(stream: string, from: number, inbox: string): Promise<string> {
    const { AckPolicy, DeliverPolicy, ReplayPolicy } = this.packages
    const { name } = await this.streams.consumers.add(stream, {
      ack_policy: AckPolicy.None,
      replay_policy: ReplayPolicy.Instant,
      deliver_policy: DeliverPolicy.StartSequence,
      opt_start_seq: Math.max(1, from),
      deliver_subject: inbox,
      flow_control: true,
      idle_heartbeat: SILENCE.heartbeat * 1e6,
      inactive_threshold: ABANDONED * 1e6,
      mem_storage: true,
      num_replicas: 1,
    })
    return name
  }

  /** Flow control: what was sent so far has been taken. A heartbeat may say that such an answer was lost. */
  #answer(message: Msg): void {
    const stalled = message.headers?.get('Nats-Consumer-Stalled')
    const subject = message.reply || stalled
    if (subject) this.connection.publish(subject)
  }

  #limits({ count, bytes, age, countPerSubject, window, replicas }: StreamConfig) {
    return {
      max_msgs: count,
      max_bytes: bytes,
      max_age: age * 1e6,
      max_msgs_per_subject: countPerSubject,
      duplicate_window: window * 1e6,
      num_replicas: replicas,
    }
  }
}

/** Undefined where there is no such stream. */
async function found<T>(asked: Promise<T>): Promise<T | undefined> {
  try {
    return await asked
  } catch (error) {
    if (Object(error).name === 'StreamNotFoundError') return undefined
    throw error
  }
}
