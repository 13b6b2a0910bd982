/**
 * An open stream needs its socket and nothing else, while Node.js keeps request, response, parser and eleven listeners
 * for as long as the socket lives: two thirds of the memory of an idle stream. Here, and nowhere else, they are let go.
 *
 * No public call does this. What Node.js does for an upgrade is what is wanted: a request that is marked as one makes it
 * take its listeners off the socket and free the parser, the next time it looks, and it is made to look by an empty
 * chunk. That is tried out once, when the first application with event streams boots, and where it does not work streams
 * keep what they have.
 */
import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { Duplex } from 'node:stream'
import { createServer } from '../node-http.js'
import { isShared, type Lane } from '../pipeline/lane.js'

/** What Node's HTTP server leaves on a socket. */
interface ServedSocket {
  readonly server?: Server
  readonly parser?: { readonly incoming: IncomingMessage | null } | null
}

/** Of no length, but at an address: the parser takes one without an address for the end of its input. */
const NOTHING = Buffer.from('x').subarray(0, 0)

const permitted = new WeakSet<Server>()
let trial: Promise<boolean> | undefined
let works = false

/** Finds out whether streams can hibernate; until it has, none does. */
export async function tryHibernation(): Promise<void> {
  trial ??= tryOut()
  works = await trial
}

/** The streams of a server may hibernate: it tells nobody but this application of upgrades, and closes sockets by itself. */
export function permitHibernation(server: Server): void {
  permitted.add(server)
}

/**
 * Lets go of everything but the socket, if nobody else may need it: middleware that listens to the response, or writes
 * for it, or a body that has not been read. `true` where it did. Never to be called while the parser runs.
 */
export function hibernate(response: ServerResponse, lane: Lane): boolean {
  if (isShared(lane) || lane.destroyed || response.socket !== lane) return false
  const { server, parser } = lane as ServedSocket
  const { req: request } = response
  if (!works || server === undefined || !permitted.has(server) || parser?.incoming !== request) return false
  return isOurs(request, response) && unhook(request, response, lane)
}

/** What streams listen to by themselves: `close` of the response, beside the `finish` of Node's own. */
function isOurs(request: IncomingMessage, response: ServerResponse): boolean {
  if (!request.complete || request.listenerCount('close') > 0 || request.listenerCount('aborted') > 0) return false
  if (response.listenerCount('close') > 1 || response.listenerCount('finish') > 1) return false
  return !Object.hasOwn(response, 'end') && !Object.hasOwn(response, 'destroy')
}

function unhook(request: IncomingMessage, response: ServerResponse, socket: Socket): boolean {
  const mark = request as { upgrade?: boolean | null }
  mark.upgrade = true
  socket.emit('data', NOTHING)
  if ((socket as ServedSocket).parser) {
    mark.upgrade = null
    return false
  }
  response.detachSocket(socket)
  return true
}

/** Whether this version of Node.js does what is expected of it, on a socket that leads nowhere. */
function tryOut(): Promise<boolean> {
  const socket = new Duplex({ read() {}, write: (_chunk, _encoding, done) => done() })
  const server = createServer()
  return new Promise<boolean>(resolve => {
    let handedOver = false
    server.on('upgrade', () => {
      handedOver = true
    })
    server.on('request', (request, response) => {
      response.flushHeaders()
      setImmediate(() => {
        const done = unhook(request, response, socket as Socket)
        const left = ['data', 'end', 'close', 'drain', 'error', 'timeout'].filter(
          name => socket.listenerCount(name) > 0,
        )
        resolve(done && handedOver && left.length === 0 && !socket.destroyed)
        socket.destroy()
      })
    })
    server.on('clientError', () => resolve(false))
    server.emit('connection', socket)
    socket.push('GET / HTTP/1.1\r\nHost: localhost\r\n\r\n')
  }).catch(() => false)
}
