import { type Addressed, addressOf, Inbox, type PeerOptions, type Received, readData } from './inbox.js'

/** What an `EventsPeer` asks with. */
export interface EventsPeerOptions extends PeerOptions {
  /** The request's method. @default 'GET', and with a body 'POST' */
  readonly method?: string
  /** The request's body: what is neither a string nor bytes is sent as JSON. @default none */
  readonly body?: unknown
}

/**
 * A peer of an event stream, for tests: it asks for the next event, and does not come back by itself.
 * (WHATWG HTML §9.2)
 */
export class EventsPeer implements AsyncDisposable {
  /** How it ended: with its final chunk (`whole`), or cut off, as where a handler failed or the peer itself went (`cut`). */
  readonly ended: Promise<'whole' | 'cut'>
  readonly #inbox: Inbox
  readonly #leave: AbortController

  /** @internal */
  constructor(response: Response, inbox: Inbox, leave: AbortController) {
    this.#inbox = inbox
    this.#leave = leave
    this.ended = this.#read(response).then(
      () => 'whole' as const,
      () => 'cut' as const,
    )
    void this.ended.then(how => inbox.end(how === 'whole' ? 'the stream ended' : 'the stream was cut'))
  }

  /** The id of the last event that carried one: for `lastEventId`, when it comes back. */
  get lastEventId(): string | undefined {
    return this.#inbox.lastEventId
  }

  /** The next event of this name, or of any; what came before it is passed over. @throws Error where it does not come in time */
  next(event?: string): Promise<Received> {
    return this.#inbox.next(event)
  }

  /** Leaves, as a browser does whose page is closed. */
  async close(): Promise<void> {
    this.#leave.abort()
    await this.ended
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  async #read({ body }: Response): Promise<void> {
    if (body === null) return
    let fields: Record<string, string> = {}
    for await (const line of linesOf(body)) {
      if (line === '') fields = this.#take(fields)
      const [name = '', value = ''] = line.startsWith(':') ? [] : split(line)
      if (name !== '') fields[name] = name === 'data' && fields.data !== undefined ? `${fields.data}\n${value}` : value
    }
  }

  /** What has no line of data only moves the id on, as in a browser (WHATWG HTML §9.2.6), and so does what tells a place. */
  #take({ event, data, id }: Record<string, string>): Record<string, string> {
    if (id !== undefined) this.#inbox.lastEventId = id
    const isPlace = event === 'place' && data === ''
    if (data !== undefined && !isPlace) this.#inbox.add({ event, data: readData(data), id })
    return {}
  }
}

/**
 * Opens an event stream of an application.
 * @throws Error for an answer that is no event stream, with its status and what it says
 */
export async function openEvents(app: Addressed, path: string, options: EventsPeerOptions = {}): Promise<EventsPeer> {
  const { headers = {}, lastEventId, patience = 5000, body, method = body === undefined ? 'GET' : 'POST' } = options
  const leave = new AbortController()
  const raw = typeof body === 'string' || body instanceof Uint8Array
  const response = await fetch(addressOf(app, path), {
    method,
    signal: leave.signal,
    headers: {
      Accept: 'text/event-stream',
      ...(lastEventId === undefined ? {} : { 'Last-Event-ID': lastEventId }),
      ...(body === undefined || raw ? {} : { 'Content-Type': 'application/json' }),
      ...headers,
    },
    ...(body === undefined ? {} : { body: raw ? (body as string) : JSON.stringify(body) }),
  })
  const type = response.headers.get('content-type') ?? ''
  if (!type.startsWith('text/event-stream'))
    throw new Error(`${method} ${path} answered ${response.status}, no event stream: ${await response.text()}`)
  return new EventsPeer(response, new Inbox(`the stream of ${path}`, patience), leave)
}

function split(line: string): string[] {
  const colon = line.indexOf(':')
  return colon === -1 ? [line] : [line.slice(0, colon), line.slice(colon + 1).replace(/^ /, '')]
}

async function* linesOf(body: ReadableStream<Uint8Array>): AsyncGenerator<string> {
  const decoder = new TextDecoder()
  let rest = ''
  for await (const chunk of body) {
    const lines = (rest + decoder.decode(chunk, { stream: true })).split('\n')
    rest = lines.pop() ?? ''
    yield* lines
  }
}
