import type { IncomingMessage } from 'node:http'
import { Stop } from '../connections/close-reason.js'
import { Connection, type ConnectionHandlers, type ConnectionPlan } from '../connections/connection.js'
import { lastEventIdOf } from '../connections/cursor.js'
import { Feed } from '../connections/feed.js'
import type { Beats } from '../connections/live.js'
import { Pulse } from '../connections/pulse.js'
import { type ConnectionServing, keptHeaders, planConnections, runOpenings } from '../connections/serving.js'
import { sourceOf } from '../connections/sources.js'
import type { SseOptions } from '../declare/routes.js'
import { HttpError, notAcceptable } from '../errors.js'
import { askedFor } from '../pipeline/asked-for.js'
import type { Bind } from '../pipeline/bind.js'
import { chooseStreamCoding } from '../pipeline/coding.js'
import { compileEndpoint, type Endpoint, type Handler } from '../pipeline/endpoint.js'
import { preferredType } from '../pipeline/negotiate.js'
import { noContent, Reply, reply } from '../pipeline/reply.js'
import type { RequestContext } from '../pipeline/request-context.js'
import { type Binding, bindMember, requestSources, type Serve } from '../pipeline/serving.js'
import { isPromise, then } from '../pipeline/settle.js'
import type { Route } from '../routing/table.js'
import { encodeEvent } from './encode.js'
import { drainRetry } from './ending.js'
import { EventStream, STOPPED_ID } from './event-stream.js'
import { streamHead } from './stream-head.js'

/** Milliseconds of silence after which a comment keeps a stream alive. */
const KEEP_ALIVE = 15_000

const EVENT_STREAM = 'text/event-stream'

type Open = (stream: EventStream, args: unknown[]) => unknown

export function bindSse(route: Route, binding: Binding): Bind {
  const isClass = route.member === undefined
  const member = { route, name: isClass ? `${route.name}.open` : route.name, key: route.member ?? 'open' }
  const sources = requestSources(route.method)
  return bindMember(member, { sources, connections: [Connection, EventStream], connectionFirst: isClass }, binding)
}

/** One request, a stream of events. */
export function compileSse(route: Route, serving: ConnectionServing): Serve {
  const endpoint = compileEndpoint(route, bindSse(route, serving), serving.resolve)
  const plan = planConnections(route, serving, pulsesOf(route))
  const keep = keptHeaders(route)
  const open = route.member === undefined ? openInstance(route, serving) : openMethod(route, serving)
  const run = runOpenings<EventStream>(
    {
      endpoint,
      later: comeBackLater,
      make: context => makeStream(context, plan, keep, serving),
      open(context, stream, args) {
        if (hasContent(context.request)) context.request.resume()
        return open(stream, args)
      },
      answer(context, stream, returned) {
        const plain = stream.begun ? replyInstead(stream, returned) : returned
        if (plain === undefined && (stream.begun || stream.closed)) return false
        if (stream.begun) stream.decline()
        serving.reply(context, plain)
        return true
      },
    },
    serving,
  )
  return context => {
    if (refuseEarly(context, endpoint, serving)) return
    if (context.request.method === 'HEAD') answerHead(context, endpoint, serving)
    else run(context)
  }
}

/**
 * Whether a request may have content that is to be read over (RFC 9112 §6.3). Those that have none are left as they are:
 * to read one of Node's streams to its end takes a tenth of an opening (`scale-sse`).
 */
function hasContent({ httpVersionMajor, headers }: IncomingMessage): boolean {
  return httpVersionMajor === 2 || 'content-length' in headers || 'transfer-encoding' in headers
}

/** What is answered in place of a stream: a reply that `open` returned, and 204 where it stopped with nothing sent. @throws HttpError */
function replyInstead(stream: Connection, returned: unknown): Reply | undefined {
  if (returned instanceof HttpError) throw returned
  if (stream.started || stream.closed) return undefined
  if (returned instanceof Stop && stream.queue.size === 0) return noContent()
  return returned instanceof Reply ? returned : undefined
}

/** What opens no stream: a peer that takes none, and one that was told not to come back. */
function refuseEarly(context: RequestContext, endpoint: Endpoint, serving: ConnectionServing): boolean {
  const accept = context.header('accept')
  if (accept !== EVENT_STREAM && preferredType(accept, [EVENT_STREAM]) === undefined) {
    const refusal = notAcceptable('here are event streams: accept text/event-stream')
    serving.refuse(context, endpoint.map(refusal, context))
  } else if (lastEventIdOf(context) === STOPPED_ID) serving.reply(context, noContent())
  else return false
  return true
}

/**
 * An `EventSource` gives up for good where it hears 503 (WHATWG HTML §9.2.3), so it is told to come back, as those are that
 * have a stream. Whoever does not ask as one does hears 503.
 */
function comeBackLater(context: RequestContext): Reply | undefined {
  const accept = context.header('accept') ?? ''
  if (context.request.method !== 'GET' || !accept.includes(EVENT_STREAM)) return undefined
  return reply(encodeEvent({ retry: drainRetry() }), { status: 200, headers: streamHead })
}

/** The head that GET would have, for those whom the guards admit; no stream is opened (RFC 9110 §9.3.2). */
function answerHead(context: RequestContext, endpoint: Endpoint, serving: ConnectionServing): void {
  const answer = () => {
    const { compression = false } = context.route.options as SseOptions
    const coding = compression ? chooseStreamCoding(context.response) : undefined
    const headers = coding === undefined ? streamHead : { ...streamHead, 'Content-Encoding': coding }
    serving.reply(context, reply([].values(), { headers }))
  }
  const fail = (error: unknown) => serving.refuse(context, endpoint.map(error, context))
  try {
    const admitted = then(endpoint.admit(context), answer)
    if (isPromise(admitted)) Promise.resolve(admitted).catch(fail)
  } catch (error) {
    fail(error)
  }
}

function makeStream(
  context: RequestContext,
  plan: ConnectionPlan,
  keep: readonly string[],
  serving: ConnectionServing,
): EventStream {
  const refuse = (error: unknown) => serving.refuse(context, error)
  const stream = new EventStream(askedFor(context, keep), plan, context.response, refuse)
  stream.state = context.state
  return stream
}

/** An event source: one instance per connection, whose `open` begins it. */
function openInstance(route: Route, serving: ConnectionServing): Open {
  const construct = serving.construct(route.owner)
  return (stream, args) => {
    const instance = construct(stream) as ConnectionHandlers & { open?: Handler }
    if (stream.closed) return undefined
    stream.begin(instance)
    return instance.open?.(...args)
  }
}

const noHandlers: ConnectionHandlers = {}

/** A controller's method: what it returns feeds the stream, and ends it if it has an end. */
function openMethod(route: Route, serving: ConnectionServing): Open {
  const controller = serving.resolve(route.owner as new () => Record<string, Handler>)
  const method = (controller[route.member ?? ''] as Handler).bind(controller)
  return (stream, args) => {
    stream.begin(noHandlers)
    const returned = method(...args)
    return isPromise(returned) ? returned.then(value => feed(stream, value)) : feed(stream, returned)
  }
}

/** A source that the stream ends with; anything else as it is. */
function feed(stream: EventStream, returned: unknown): unknown {
  const source = sourceOf(returned)
  if (source === undefined) return returned
  stream.keepConnection()
  return new Feed(source)
}

/** Keep-alives and the idle timeout of a route's streams: a timer each, for all of them. */
function pulsesOf(route: Route): readonly Beats<Connection>[] {
  const { keepAlive = KEEP_ALIVE, idleTimeout = 0 } = route.options as SseOptions
  const beats = new Pulse<EventStream>(keepAlive / 2, stream => stream.keepAlive())
  const idle = new Pulse<EventStream>(idleTimeout / 4, stream => stream.watchIdle())
  return [beats, idle]
}
