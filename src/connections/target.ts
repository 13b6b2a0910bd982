import { show } from '../declare/options.js'
import { toJson } from './codec.js'
import type { Connection } from './connection.js'
import { EVERYWHERE } from './event-log.js'
import type { Outbox } from './outbox.js'
import { sending } from './sending.js'

/** A message's data, left out where it has none. */
export type DataOf<Data> = Data extends null | undefined ? [data?: null] : [data: Data]

/** Where a message goes. */
export class Target<Events extends object> {
  readonly #except: string[] = []
  #volatile = false
  #key: string | undefined

  /** @internal */
  constructor(
    private readonly outbox: Outbox,
    private readonly rooms: readonly string[] | undefined,
  ) {}

  /** Passes a connection over. */
  except(connection: Connection): this {
    this.#except.push(connection.id)
    return this
  }

  /** Neither logged nor queued for a peer that is behind: for what is stale in a moment, such as a cursor's place. */
  volatile(): this {
    this.#volatile = true
    return this
  }

  /**
   * Names the message, so that it is kept once, however often it is sent: who does not know whether it was, sends it again
   * with its key, and gets the id of the first. The log remembers the last 10,000 keys: in Redis for a day after the last
   * of them, in NATS each for as long as the stream holds its message.
   * @param key of 1 to 200 characters
   */
  once(key: string): this {
    if (typeof key !== 'string' || key.length === 0 || key.length > 200 || !key.isWellFormed()) {
      throw new TypeError(`a key is a string of 1 to 200 characters, not ${JSON.stringify(key)}`)
    }
    this.#key = key
    return this
  }

  /**
   * Sends an event; answers its id, or undefined where it is not logged. A very large room is given it over several turns
   * of the event loop: it resolves when the log has taken it and this node has given what it was giving; what a connection
   * is sent by itself before that may come first. Where nobody waits for it, its failure is logged.
   * @throws TypeError for data that has no JSON form, and for a name that is not one line
   * @throws EventLogUnavailableError where the log is away, and does not come back in time
   */
  send<E extends keyof Events & string>(event: E, ...data: DataOf<Events[E]>): Promise<string | undefined> {
    return sending(() => this.#send(event, data), this.outbox.unheard)
  }

  #send(event: string, data: readonly unknown[]): Promise<string | undefined> {
    const text = toJson(data.length === 0 ? null : data[0])
    const message = { rooms: this.rooms, event: checkEvent(event), data: text, except: [...this.#except] }
    return this.outbox.send(message, this.#volatile, this.#key)
  }

  /** Runs `info` with a message on each member. @throws as `send` does */
  tell(message: unknown): Promise<void> {
    return sending(() => this.outbox.tell(this.rooms, toJson(message)), this.outbox.unheard)
  }
}

/** The rooms that are meant, each once. @throws TypeError for what is no name of a room */
export function checkRooms(rooms: string | readonly string[]): readonly string[] {
  const named: readonly string[] = Array.isArray(rooms) ? [...new Set(rooms)] : [rooms]
  for (const room of named) {
    if (typeof room !== 'string') throw new TypeError(`${room} is no room: a room is named by a string`)
    if (room === EVERYWHERE) throw new TypeError('NUL is no room: it stands for all rooms, use broadcast')
  }
  return named
}

/** What a stream could not carry would be in the way of all that comes after it in the log. @throws TypeError for no name */
export function checkEvent(event: unknown): string {
  if (typeof event !== 'string') throw new TypeError(`the name of an event is a string, not ${show(event)}`)
  if (!/[\r\n\0]/.test(event)) return event
  throw new TypeError(`the name of an event is one line: ${JSON.stringify(event)} has a CR, LF or NUL in it`)
}
