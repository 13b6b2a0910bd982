/** What a listener speaks: which options it takes, and, with two protocols on one port, who speaks which. */
import type { Server } from 'node:http'
import type { Socket } from 'node:net'
import { type Checks, check, wrongOptions } from '../declare/options.js'
import type { Http2Options, Http2Side } from './http2.js'
import { nodeTls, type TlsOptions, tlsProblems } from './tls.js'

/** Which protocols a listener speaks besides HTTP/1.1. */
export interface ListenerProtocols {
  /** Its certificate, where it speaks TLS. @default none: it is not encrypted */
  readonly tls?: TlsOptions
  /**
   * Whether it speaks HTTP/2 as well, on the same port: chosen by ALPN under TLS, else with prior knowledge, as proxies
   * do (RFC 9113 §3.3); or how much of it. @default false
   */
  readonly http2?: boolean | Http2Options
}

const http2Options: Checks<Http2Options> = {
  maxStreams: check.count,
  maxResets: check.count,
  maxControlFrames: check.count,
  heartbeat: check.milliseconds,
  maxMemory: check.bytes,
}

/** What is wrong with them. */
export function protocolProblems(where: string, { tls, http2 = false }: ListenerProtocols): string[] {
  const ofHttp2 = typeof http2 === 'boolean' ? [] : wrongOptions(`${where}: http2`, http2, http2Options)
  return tls === undefined ? ofHttp2 : [...tlsProblems(where, tls), ...ofHttp2]
}

/** What every connection of HTTP/2 begins with (RFC 9113 §3.4); no request of HTTP/1.1 does. */
const PREFACE = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n')

/**
 * Takes the connections of an HTTP server that speak HTTP/2: under TLS those that agreed on it (RFC 9113 §3.2), else
 * those that begin with its preface (RFC 9113 §3.3). The others go on to the server itself.
 * @param patience milliseconds for the first bytes; a connection that is still undecided then is closed
 */
export function divert(server: Server, http2: Http2Side, patience: number): void {
  const event = 'setSecureContext' in server ? 'secureConnection' : 'connection'
  const own = server.listeners(event)
  const serve = (socket: Socket) => {
    for (const listener of own) listener.call(server, socket)
  }
  const { TLSSocket } = nodeTls()
  const sniffed = new WeakSet<Socket>()
  server.removeAllListeners(event)
  server.on(event, (socket: Socket) => {
    if (socket instanceof TLSSocket) return socket.alpnProtocol === 'h2' ? http2.serve(socket) : serve(socket)
    if (sniffed.has(socket)) return serve(socket)
    sniffed.add(socket)
    sniff(socket, patience, isHttp2 => (isHttp2 ? http2.serve(socket) : serve(socket)))
  })
}

/** Reads the first bytes, and puts them back. */
function sniff(socket: Socket, patience: number, decided: (isHttp2: boolean) => void): void {
  let heard = Buffer.alloc(0)
  const look = () => {
    const chunk: Buffer | null = socket.read()
    if (chunk === null) return
    heard = Buffer.concat([heard, chunk])
    const length = Math.min(heard.length, PREFACE.length)
    const isPreface = heard.compare(PREFACE, 0, length, 0, length) === 0
    if (isPreface && length < PREFACE.length) return
    stop()
    socket.unshift(heard)
    decided(isPreface)
  }
  const giveUp = () => void socket.destroy()
  const stop = () => {
    clearTimeout(timer)
    socket.off('readable', look).off('end', giveUp).off('error', giveUp).off('close', stop)
  }
  const timer = setTimeout(giveUp, patience)
  socket.on('readable', look).on('end', giveUp).on('error', giveUp).on('close', stop)
}
