import type { ServerResponse } from 'node:http'
import { Connection } from '../connections/connection.js'
import type { Beats } from '../connections/live.js'
import { Pulse } from '../connections/pulse.js'
import { type ConnectionServing, keptHeaders, planConnections, runOpenings } from '../connections/serving.js'
import type { WebSocketOptions } from '../declare/routes.js'
import { askedFor } from '../pipeline/asked-for.js'
import type { Bind } from '../pipeline/bind.js'
import { compileEndpoint, type Handler } from '../pipeline/endpoint.js'
import type { RequestContext } from '../pipeline/request-context.js'
import { type Binding, bindMember, ofRequests } from '../pipeline/serving.js'
import type { Route } from '../routing/table.js'
import { compileMessages } from './messages.js'
import { Socket, type SocketHandlers } from './socket.js'
import { checkHandshake, checkOrigin } from './upgrade.js'
import type { makeAccept as MakeAccept } from './wire.js'

const NOTHING = Buffer.alloc(0)
/** Milliseconds between pings. */
const HEARTBEAT = 30_000

const opened = Symbol('opened')
type OpeningResponse = ServerResponse & { [opened]?: Socket }

/** What was refused, or left before the 101, ends with its response: what belongs to it must not outlive it. */
function onClose(this: OpeningResponse): void {
  const socket = this[opened]
  if (socket?.started === false) socket.end({ kind: 'lost' })
}

/** Runs one opening handshake. */
export type ServeUpgrade = (context: RequestContext) => void

export function bindWebSocket(route: Route, binding: Binding): Bind {
  const offers = { sources: ofRequests, connections: [Connection, Socket], connectionFirst: true }
  return bindMember({ route, name: `${route.name}.open`, key: 'open' }, offers, binding)
}

/** One handshake, two-way messages. */
export function compileWebSocket(
  route: Route,
  serving: ConnectionServing,
  origins: readonly string[] | '*',
  makeAccept: typeof MakeAccept,
): ServeUpgrade {
  const options = route.options as WebSocketOptions
  const endpoint = compileEndpoint(route, bindWebSocket(route, serving), serving.resolve)
  const plan = planConnections(route, serving, pulsesOf(options))
  const keep = keptHeaders(route)
  const construct = serving.construct(route.owner)
  const handleFrame = compileMessages(route, serving)
  const accept = makeAccept(options)
  const allowed = options.origins ?? origins
  const run = runOpenings<Socket>(
    {
      endpoint,
      make(context) {
        const socket = new Socket(askedFor(context, keep), plan, handleFrame)
        const response = context.response as OpeningResponse
        response[opened] = socket
        response.on('close', onClose)
        return socket
      },
      open(context, socket, args) {
        const { response, upgradeHead } = context
        if (response.headersSent) return undefined
        const instance = construct(socket) as SocketHandlers & { open?: Handler }
        const wire = accept(response, upgradeHead ?? NOTHING, socket)
        if (wire === undefined) return undefined
        context.switched = true
        socket.attach(wire)
        if (socket.closed) return undefined
        socket.begin(instance)
        return instance.open?.(...args)
      },
      answer(context, socket, returned) {
        if (socket.started) return false
        serving.reply(context, returned)
        return true
      },
    },
    serving,
  )
  return context => {
    try {
      checkHandshake(context.request)
      checkOrigin(context, allowed)
    } catch (error) {
      return serving.refuse(context, endpoint.map(error, context))
    }
    run(context)
  }
}

/** Heartbeats and the idle timeout of a route's sockets: a timer each, for all of them. */
function pulsesOf({ heartbeat = HEARTBEAT, idleTimeout = 0 }: WebSocketOptions): readonly Beats<Connection>[] {
  const beats = new Pulse<Socket>(heartbeat, socket => socket.heartbeat())
  const idle = new Pulse<Socket>(idleTimeout / 4, socket => socket.watchIdle())
  return [beats, idle]
}
