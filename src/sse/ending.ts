/** How the exchange of a stream ends: with the end of its content, or without, so that the peer knows. */
import type { ServerResponse } from 'node:http'
import { uncorkNow } from '../connections/sink.js'
import { HttpError } from '../errors.js'
import { cutAfter, cutBehind, type Lane } from '../pipeline/lane.js'
import { release } from '../pipeline/lane-watch.js'
import type { ServerSentEvent, StreamCodec } from './encode.js'
import type { Outlet } from './outlet.js'

/** Milliseconds that a peer has to take what was sent before a clean end. */
const FLUSH_PATIENCE = 5000
/**
 * Milliseconds after which peers come back when the server drains, and over which that is spread. An `EventSource` keeps
 * to its last `retry` for good, also while nobody answers, so there is a least one.
 */
const DRAIN_RETRY = { least: 1000, spread: 2000 }

export function drainRetry(): number {
  return DRAIN_RETRY.least + Math.floor(Math.random() * DRAIN_RETRY.spread)
}

/** The last event of a stream whose handler failed: what kind of failure, without detail, and without an id. */
export function failure(error: unknown): ServerSentEvent {
  const { title, status } = (error instanceof HttpError ? error : new HttpError(500)).problem
  return { event: 'error', data: { title, status } }
}

/** What can be ended, or cut. */
export interface Exchange {
  end(): void
  destroy(): void
}

/** The end of an exchange of which only the socket is left. Nothing is answered behind it. */
export function exchangeOf(lane: Lane, { end }: StreamCodec): Exchange {
  return {
    end() {
      lane.write(end)
      cutBehind(lane)
    },
    destroy: () => void lane.destroy(),
  }
}

/** The end with the final chunk, of an exchange whose head has said that it is the last. */
export function endAndClose(exchange: Exchange, { encoded }: Outlet, lane: Lane): void {
  if (encoded === undefined) exchange.end()
  else encoded.end(() => exchange.end())
  cutAfter(FLUSH_PATIENCE, lane)
}

/**
 * The end with the final chunk, behind which the connection is there for the next request (RFC 9112 §9.3). It is closed
 * where the server goes away, or where something was asked for meanwhile: that was read over, and the peer, which may
 * not take it for answered, asks again on another (RFC 9112 §9.3.2).
 */
export function endAndKeep(response: ServerResponse, { encoded }: Outlet, lane: Lane, isLeaving: boolean): void {
  if (!release(lane) || isLeaving) response.once('finish', () => cutBehind(lane))
  if (encoded === undefined) response.end()
  else encoded.end(() => response.end())
  uncorkNow(lane)
  cutAfter(FLUSH_PATIENCE, lane, response)
}

/** The end without the final chunk, or with an error code (RFC 9113 §7): the peer knows that it did not get everything. */
export function cutAfterFlush(outlet: Outlet, lane: Lane): void {
  outlet.letOut(() => cutBehind(lane))
  cutAfter(FLUSH_PATIENCE, lane)
}
