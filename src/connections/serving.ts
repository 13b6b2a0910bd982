import type { ConnectionOptions } from '../declare/routes.js'
import { unavailable } from '../errors.js'
import { ConnectionContext } from '../pipeline/connection-context.js'
import type { Endpoint } from '../pipeline/endpoint.js'
import { isOver } from '../pipeline/lane.js'
import type { RequestContext } from '../pipeline/request-context.js'
import type { Serving } from '../pipeline/serving.js'
import { isPromise, then } from '../pipeline/settle.js'
import type { Route } from '../routing/table.js'
import type { Connection, ConnectionHandlers, ConnectionPlan } from './connection.js'
import type { LiveConnections } from './live.js'

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
  pulses: ConnectionPlan['pulses'],
): ConnectionPlan {
  const { sendLimit = SEND_LIMIT, overflow = 'disconnect' } = route.options as ConnectionOptions
  return { route, logger: serving.logger, live: serving.live, queue: { limit: sendLimit, overflow }, pulses }
}

/** The header fields that a route's connections remember: those it names, those its messages ask for, and the last event id. */
export function keptHeaders(route: Route): readonly string[] {
  const named = (route.options as ConnectionOptions).keepHeaders ?? []
  const asked = route.messages.flatMap(row => [...row.params.values()].filter(param => param.source === 'header'))
  const names = [...named, ...asked.map(param => param.name ?? ''), 'last-event-id']
  return [...new Set(names.filter(name => name !== '').map(name => name.toLowerCase()))]
}

/** One opening: what is done at each of its turns. */
export interface Opening {
  readonly context: RequestContext
  readonly endpoint: Endpoint
  /** Makes the connection, when the guards have admitted it. */
  readonly make: () => Connection
  /** Commits to it and runs `open`, inside the interceptors. */
  readonly open: (connection: Connection, args: unknown[]) => unknown
  /** Answers in place of the connection, where nothing was committed and `open`'s result asks for it: `true` if it did. */
  readonly answer: (connection: Connection, returned: unknown) => boolean
  /** What is answered where the server is going away, in place of 503; undefined for that. */
  readonly later?: () => unknown
}

/**
 * Runs an opening: admission, then commitment. Until `begin`, a failure is an ordinary reply; afterwards it is the
 * connection's. Nothing opens for a peer that left meanwhile, nor when the server is going away.
 */
export function runOpening(
  { context, endpoint, make, open, answer, later }: Opening,
  serving: ConnectionServing,
): void {
  let made: Connection | undefined
  const settle = (returned: unknown) => {
    context.settle()
    if (made === undefined) return
    made.settleOpening(answer(made, returned) ? undefined : returned)
  }
  const fail = (error: unknown) => {
    context.settle()
    const mapped = endpoint.map(error, context)
    if (made?.begun) made.failOpening(mapped)
    else serving.refuse(context, mapped)
  }
  const commit = (connection: Connection, args: unknown[]) => {
    if (connection.closed) return undefined
    if (serving.live.draining) return later?.() ?? raise(goingAway())
    return open(connection, args)
  }
  try {
    const result = then(endpoint.admit(context), () => {
      if (isOver(context.response)) return undefined
      const connection = make()
      made = connection
      context.connect(connection)
      keepScope(context, connection)
      return endpoint.call(context, (...args) => commit(connection, args))
    })
    if (isPromise(result)) Promise.resolve(result).then(settle).catch(fail)
    else settle(result)
  } catch (error) {
    fail(error)
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
