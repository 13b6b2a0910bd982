import { setTimeout as sleep } from 'node:timers/promises'

/** One event, or one message, that a peer was sent. */
export interface Received {
  /** Its name; undefined where it has none. */
  readonly event: string | undefined
  /** What it says: JSON as what that stands for, other text as it is, and bytes. */
  readonly data: unknown
  /** Its id; undefined where it carries none. */
  readonly id: string | undefined
}

/** What a peer of a test is told of itself. */
export interface PeerOptions {
  /** Header fields of its request. @default none */
  readonly headers?: Readonly<Record<string, string>>
  /** The id of the last event that it has seen before: it gets what it missed since. @default none: it is new */
  readonly lastEventId?: string | undefined
  /** Milliseconds that it waits for what it is asked for. @default 5_000 */
  readonly patience?: number
}

/** What an application, or whatever else has an address, is to a peer of a test. */
export interface Addressed {
  /** Where it is. */
  readonly url: string | undefined
}

/** What has come and was not asked for yet, in order. */
export class Inbox {
  /** The id of the newest that carried one. */
  lastEventId: string | undefined
  readonly #unread: Received[] = []
  #over: string | undefined
  #changed = () => {}
  /** Settles when nobody waits: who asks meanwhile stands in line, and gets what those before have left. */
  #idle: Promise<unknown> = Promise.resolve()

  constructor(
    private readonly of: string,
    private readonly patience: number,
  ) {}

  add(received: Received): void {
    this.lastEventId = received.id ?? this.lastEventId
    this.#unread.push(received)
    this.#changed()
  }

  /** Nothing more comes, and why. */
  end(why: string): void {
    this.#over ??= why
    this.#changed()
  }

  /** Why nothing more comes; undefined while something may. */
  get over(): string | undefined {
    return this.#over
  }

  /**
   * The next one of this name, or of any: what stands before it is passed over.
   * @throws Error that says what came in its place
   */
  next(event?: string): Promise<Received> {
    const next = this.#idle.then(() => this.#take(event))
    this.#idle = next.catch(() => {})
    return next
  }

  async #take(event: string | undefined): Promise<Received> {
    const passed: (string | undefined)[] = []
    const until = performance.now() + this.patience
    for (;;) {
      for (let each = this.#unread.shift(); each !== undefined; each = this.#unread.shift()) {
        if (event === undefined || each.event === event) return each
        passed.push(each.event)
      }
      if (this.#over !== undefined) throw this.#missing(event, passed, `${this.#over} before it came`)
      const change = new Promise<void>(resolve => {
        this.#changed = resolve
      })
      const late = () => this.#missing(event, passed, `it did not come within ${this.patience} ms`)
      await within(until - performance.now(), change, late)
    }
  }

  /** What is `awaited`, in time. */
  inTime<T>(awaited: Promise<T>, what: string): Promise<T> {
    return within(this.patience, awaited, () => new Error(`${this.of}: ${what} within ${this.patience} ms`))
  }

  #missing(event: string | undefined, passed: readonly (string | undefined)[], why: string): Error {
    const what = event === undefined ? 'anything' : `the event ${event}`
    const instead = passed.length === 0 ? 'nothing' : passed.map(name => name ?? 'one without a name').join(', ')
    return new Error(`${this.of} waited for ${what}: ${why}; ${instead} came instead`)
  }
}

/** The address of a path of an application. @throws TypeError where it has none */
export function addressOf({ url }: Addressed, path: string): URL {
  if (url !== undefined) return new URL(path, url)
  throw new TypeError('the application has no url: bootstrap it with a port, as with { port: 0 }')
}

/** JSON as what it stands for, other text as it is. */
export function readData(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return text
  }
}

async function within<T>(ms: number, awaited: Promise<T>, late: () => Error): Promise<T> {
  const waiting = new AbortController()
  const end = sleep(Math.max(1, ms), undefined, { signal: waiting.signal }).then(() => {
    throw late()
  })
  try {
    return await Promise.race([awaited, end])
  } finally {
    waiting.abort()
  }
}
