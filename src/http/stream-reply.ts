import type { OutgoingHttpHeaders } from 'node:http'
import { toJson } from '../connections/codec.js'
import type { Source } from '../connections/sources.js'
import type { RequestContext } from '../pipeline/context.js'

/**
 * Sends a source as the body, at the peer's pace: bytes and strings as they are, everything else as a line of JSON. The
 * head waits for the first item, so that a source that fails at once still gets its error reply. When the peer leaves,
 * the source is let go.
 */
export function sendStream(
  context: RequestContext,
  source: Source,
  status: number,
  headers: OutgoingHttpHeaders,
  refuse: (error: unknown) => void,
): void {
  const { response } = context
  let done = false
  const letGo = () => {
    if (done) return
    done = true
    Promise.resolve(source.return?.()).catch(() => {})
  }
  response.once('close', letGo)
  const run = async () => {
    if (response.req.method === 'HEAD') {
      response.writeHead(status, headers).end()
      return letGo()
    }
    for (let next = await source.next(); next.done !== true && !done; next = await source.next()) {
      if (!response.headersSent) writeHead(context, status, headers, next.value)
      if (!response.write(toChunk(next.value, isLines(context, headers)))) await drainOrClose(context)
    }
    if (!response.headersSent && !response.destroyed) response.writeHead(status, headers)
    if (!done) response.end()
    done = true
  }
  run().catch((error: unknown) => {
    const left = done
    letGo()
    if (!left) refuse(error)
  })
}

function writeHead({ response }: RequestContext, status: number, headers: OutgoingHttpHeaders, first: unknown): void {
  if (typeOf(headers) === undefined && !response.hasHeader('content-type')) {
    const text = typeof first === 'string' ? 'text/plain; charset=utf-8' : 'application/x-ndjson; charset=utf-8'
    headers['Content-Type'] = first instanceof Uint8Array ? 'application/octet-stream' : text
  }
  response.writeHead(status, headers)
}

function typeOf(headers: OutgoingHttpHeaders): unknown {
  const name = Object.keys(headers).find(key => key.toLowerCase() === 'content-type')
  return name === undefined ? undefined : headers[name]
}

function isLines({ response }: RequestContext, headers: OutgoingHttpHeaders): boolean {
  return String(typeOf(headers) ?? response.getHeader('content-type')).includes('ndjson')
}

function toChunk(item: unknown, lines: boolean): string | Uint8Array {
  if (item instanceof Uint8Array) return item
  return typeof item === 'string' && !lines ? item : `${toJson(item)}\n`
}

/** `drain` never comes on a closed response, so both are awaited. */
function drainOrClose({ response }: RequestContext): Promise<void> {
  return new Promise(resolve => {
    const settle = () => {
      response.off('drain', settle).off('close', settle)
      resolve()
    }
    if (response.destroyed) return resolve()
    response.on('drain', settle).on('close', settle)
  })
}
