import { toJson } from './connections/codec.js'
import { EventLog, type OpenEventLog } from './connections/event-log.js'
import { isOfUser, type OfUser, type Outbox, outboxTo } from './connections/outbox.js'
import type { ConnectionRegistry } from './connections/registry.js'
import { sending } from './connections/sending.js'
import { checkRooms, type DataOf, Target } from './connections/target.js'
import type { Class } from './declare/metadata.js'
import { defaultLogger, type Logger, unfailing } from './logger.js'
import { openRegistryLog } from './registry-log.js'

/** The events that a registry carries. */
export type EventsOf<R> = R extends ConnectionRegistry<infer Events> ? Events : never

/** What `createPublisher` is told. */
export interface PublisherOptions {
  /** @default warnings and errors to standard error */
  readonly logger?: Logger
}

/** Sends to the connections of a registry from where there is none: a worker, a cron job, a script. */
export class Publisher<Events extends object> {
  readonly #outbox: Outbox

  /** @internal */
  constructor(
    private readonly log: EventLog,
    history: boolean,
    private readonly ownsLog: boolean,
    private readonly unheard: (error: unknown) => void,
  ) {
    this.#outbox = outboxTo(log, history, unheard)
  }

  /** The connections of a room, or of several (each once), on every node. @throws TypeError for what is no name of a room */
  to(room: string | readonly string[]): Target<Events> {
    return new Target(this.#outbox, checkRooms(room))
  }

  /** Sends to every connection of the registry, on every node. Answers the event's id. */
  broadcast<E extends keyof Events & string>(event: E, ...data: DataOf<Events[E]>): Promise<string | undefined> {
    return new Target<Events>(this.#outbox, undefined).send(event, ...data)
  }

  /** Runs `info` with a message on each member of a room, on the connection with this id, or on those of a user; it travels as JSON. */
  tell(to: string | readonly string[] | OfUser, message: unknown): Promise<void> {
    return sending(() => this.#outbox.tell(isOfUser(to) ? to : checkRooms(to), toJson(message)), this.unheard)
  }

  /** Ends the connections of a room, the one with this id, or those of a user. @param reason a socket's close code (@default 1008) and text */
  disconnect(whom: string | OfUser, reason: { readonly code?: number; readonly text?: string } = {}): Promise<void> {
    return sending(() => this.#outbox.disconnect(whom, reason), this.unheard)
  }

  /** Lets go of the log; of one that was given as an instance nothing is taken away. */
  async close(): Promise<void> {
    if (this.ownsLog) await this.log.stop()
  }
}

/**
 * Publishes to a registry without a server.
 * @param log what `bootstrap` is given as `eventLog`, or the log of an application in this process
 */
export async function createPublisher<R extends ConnectionRegistry<never> | ConnectionRegistry>(
  registry: Class<R>,
  log: OpenEventLog | EventLog,
  { logger = defaultLogger }: PublisherOptions = {},
): Promise<Publisher<EventsOf<R>>> {
  const given = log instanceof EventLog
  const heard = unfailing(logger)
  const opened = await openRegistryLog(registry, given ? () => log : log, heard)
  const unheard = (error: unknown) => heard.error(`${registry.name}: what nobody waited for failed`, error)
  return new Publisher<EventsOf<R>>(opened.log, opened.history, !given, unheard)
}
