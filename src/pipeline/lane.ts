/** What carries an exchange to its peer: the socket with HTTP/1.1, one of the streams that share a socket with HTTP/2. */
import type { ServerResponse } from 'node:http'
import type { ServerHttp2Stream } from 'node:http2'
import type { Socket } from 'node:net'
import { atEndOfTurn } from './end-of-turn.js'

/** It ends with its exchange, and other exchanges go on without it. */
export type Lane = Socket | ServerHttp2Stream

/** Why a stream of HTTP/2 ended (RFC 9113 §7). */
export const StreamError = { none: 0, internal: 2, cancel: 8, calm: 11 } as const

export function laneOf({ req }: ServerResponse): Lane {
  return req.httpVersionMajor === 2 ? (req as unknown as { readonly stream: ServerHttp2Stream }).stream : req.socket
}

/** Whether a response is closed: it has come to its end, or its peer has left, which its lane may know before it does. */
export function isClosed(response: ServerResponse): boolean {
  return response.destroyed || laneOf(response).destroyed
}

/** Whether nobody hears what would be written to a response: it is closed, or somebody has ended it. */
export function isOver(response: ServerResponse): boolean {
  return response.writableEnded || isClosed(response)
}

/** Whether a lane is one of several on its socket. */
export function isShared(lane: Lane): lane is ServerHttp2Stream {
  return 'rstCode' in lane
}

/** Whether the peer has closed the lane by itself; else it was lost: a reset of its socket, or an error on the way. */
export function wasLeft(lane: Lane): boolean {
  return !isShared(lane) || lane.rstCode === StreamError.none || lane.rstCode === StreamError.cancel
}

const ours = new WeakSet<Lane>()

/** Resets a stream of HTTP/2, from our side. */
export function reset(stream: ServerHttp2Stream, code: number): void {
  ours.add(stream)
  stream.close(code)
}

/** Whether it was us who reset a stream. */
export function wasReset(stream: ServerHttp2Stream): boolean {
  return ours.has(stream)
}

/** Has a response give its lane all that it holds: Node.js 24 keeps what one turn has written until the end of that. */
export function giveToLane(response: ServerResponse): void {
  while (response.writableCorked > 0) response.uncork()
}

/** Ends a lane at once, so that its peer knows that it has not got everything. What this turn has written still leaves. */
export function cut(lane: Lane): void {
  while (lane.writableCorked > 0) lane.uncork()
  if (isShared(lane)) reset(lane, StreamError.internal)
  else lane.destroy()
}

const NOTHING = Buffer.alloc(0)

/** Cuts a lane behind what was written to it. */
export function cutBehind(lane: Lane): void {
  if (!isShared(lane)) return lane.destroySoon()
  lane.write(NOTHING, () => reset(lane, StreamError.internal))
}

/**
 * Cuts a lane that has not come to its end in so many milliseconds. What has left with this turn of the event loop, as
 * nearly all has, needs no timer (`generator`).
 * @param kept what ends in place of the lane
 */
export function cutAfter(patience: number, lane: Lane, kept?: ServerResponse): void {
  atEndOfTurn(() => {
    if (lane.destroyed || kept?.writableFinished) return
    const timer = setTimeout(() => cut(lane), patience).unref()
    const ended = kept ?? lane
    ended.once('close', () => clearTimeout(timer))
  })
}
