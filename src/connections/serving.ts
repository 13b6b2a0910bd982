import type { ConnectionOptions } from '../declare/routes.js'
import { unavailable } from '../errors.js'
import { ConnectionContext } from '../pipeline/connection-context.js'
import type { Endpoint } from '../pipeline/endpoint.js'
import { isOver } from '../pipeline/lane.js'
import type { RequestContext } from '../pipeline/request-context.js'
import type { Serving } from '../pipeline/serving.js'
import { isPromise } from '../pipeline/settle.js'
import type { Route } from '../routing/table.js'
import type { Connection, ConnectionHandlers, ConnectionPlan } from './connection.js'
import type { Beats, LiveConnections } from './live.js'

/** What the serve files of streams and sockets need besides. */
export interface ConnectionServing extends Serving {
  readonly live: LiveConnections<Connection>
  /** Compiles how instances of a class come to be: `new`, with everything but the connection found beforehand. */
  readonly construct: (owner: Route['owner']) => (connection: Connection) => ConnectionHandlers
}

const SEND_LIMIT = 1_048_576

export function planConnections(
  route: Route,
  serving: ConnectionServing,
  pulses: readonly Beats<Connection>[],
): ConnectionPlan {
  const { sendLimit = SEND_LIMIT, overflow = 'disconnect' } = route.options as ConnectionOptions
  return { route, logger: serving.logger, live: serving.live.ofRoute(pulses), queue: { limit: sendLimit, overflow } }
}

/** The header fields that a route's connections remember: those it names, those its messages ask for, and the last event id. */
export function keptHeaders(route: Route): readonly string[] {
  const named = (route.options as ConnectionOptions).keepHeaders ?? []
  const asked = route.messages.flatMap(row => [...row.params.values()].filter(param => param.source === 'header'))
  const names = [...named, ...asked.map(param => param.name ?? ''), 'last-event-id']
  return [...new Set(names.filter(name => name !== '').map(name => name.toLowerCase()))]
}

/** What is done at each turn of an opening: the same for all openings of a route, each of which costs one object. */
export interface Openings<C extends Connection> {
  readonly endpoint: Endpoint
  /** Makes the connection, when the guards have admitted it. */
  make(context: RequestContext): C
  /** Commits to it and runs `open`, inside the interceptors. */
  open(context: RequestContext, connection: C, args: unknown[]): unknown
  /** Answers in place of the connection, where nothing was committed and `open`'s result asks for it: `true` if it did. */
  answer(context: RequestContext, connection: C, returned: unknown): boolean
  /** What is answered where the server is going away, in place of 503; undefined for that. */
  later?(context: RequestContext): unknown
}

/**
 * Runs openings: admission, then commitment. Until `begin`, a failure is an ordinary reply; afterwards it is the
 * connection's. Nothing opens for a peer that left meanwhile, nor when the server is going away.
 */
export function runOpenings<C extends Connection>(
  openings: Openings<C>,
  serving: ConnectionServing,
): (context: RequestContext) => void {
  return context => new Opening(context, openings, serving).run()
}

class Opening<C extends Connection> {
  #made: C | undefined

  constructor(
    private readonly context: RequestContext,
    private readonly openings: Openings<C>,
    private readonly serving: ConnectionServing,
  ) {}

  run(): void {
    try {
      const admitted = this.openings.endpoint.admit(this.context)
      const returned = isPromise(admitted) ? admitted.then(() => this.#make()) : this.#make()
      if (!isPromise(returned)) return this.#settle(returned)
      Promise.resolve(returned)
        .then(value => this.#settle(value))
        .catch(error => this.#fail(error))
    } catch (error) {
      this.#fail(error)
    }
  }

  #make(): unknown {
    const { context, openings } = this
    if (isOver(context.response)) return undefined
    const connection = openings.make(context)
    connection.remoteAddress = context.remoteAddress
    this.#made = connection
    context.connect(connection)
    keepScope(context, connection)
    return openings.endpoint.call(context, (...args) => this.#commit(connection, args))
  }

  #commit(connection: C, args: unknown[]): unknown {
    const { context, openings, serving } = this
    if (connection.closed) return undefined
    if (serving.live.draining) return openings.later?.(context) ?? raise(goingAway())
    return openings.open(context, connection, args)
  }

  #settle(returned: unknown): void {
    const { context, openings } = this
    context.settle()
    const made = this.#made
    if (made !== undefined) made.settleOpening(openings.answer(context, made, returned) ? undefined : returned)
  }

  #fail(error: unknown): void {
    const { context, openings, serving } = this
    context.settle()
    const mapped = openings.endpoint.map(error, context)
    if (this.#made?.begun) this.#made.failOpening(mapped)
    else serving.refuse(context, mapped)
  }
}

/** What runs from here on has the connection's context, which does not keep the request. */
function keepScope({ scope, route }: RequestContext, connection: Connection): void {
  if (scope === undefined) return
  scope.moveTo(new ConnectionContext(route, connection))
  connection.scope = scope
}

function raise(error: Error): never {
  throw error
}

export function goingAway(): Error {
  return unavailable('the server is going away', { headers: { 'Retry-After': '1', Connection: 'close' } })
}
