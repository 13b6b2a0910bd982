import type { ServerResponse } from 'node:http'
import { toJson } from '../connections/codec.js'
import type { Source } from '../connections/sources.js'
import type { Logger } from '../logger.js'
import { runIn } from '../pipeline/current.js'
import { isClosed, isOver } from '../pipeline/lane.js'
import type { RequestContext } from '../pipeline/request-context.js'
import type { Fail } from '../pipeline/serving.js'
import type { Route } from '../routing/table.js'
import { Content, encodeHead, writeStreamHead } from './content.js'
import { fieldOf, type Head, hasContent, setField } from './head.js'
import { writeWhole } from './whole.js'

/**
 * Sends a source as the body, at the peer's pace: bytes and strings as they are, everything else as a line of JSON. The
 * head waits for the first item, so that a source that fails at once still gets its error reply. When the peer leaves,
 * the source is let go at once, even where it is not done with its next item.
 */
export function sendStream(context: RequestContext, source: Source, head: Head, logger: Logger, fail: Fail): void {
  const { response, route } = context
  if (context.method === 'HEAD' || !hasContent(head.status)) {
    letGo(source, route, logger)
    if (!hasContent(head.status)) return writeWhole(response, head, undefined)
    encodeHead(context, head)
    writeStreamHead(response, head)
    return void response.end()
  }
  const items = new Items(source)
  let hasFailed = false
  const failed = (error: unknown) => {
    if (hasFailed) return
    hasFailed = true
    const hasLeft = isClosed(response)
    leave()
    if (hasLeft) logger.debug(`${route.name}: its source failed when the peer had left`, error)
    else fail(error)
  }
  const content = new Content(context, head, failed)
  const leave = () => {
    runIn(context.scope, () => items.letGo(error => told(logger, route, error)))
    content.destroy()
  }
  response.once('close', leave)
  pump(items, response, head, content).catch(failed)
}

/** Lets a source go that is not read. */
export function letGo(source: Source, route: Route, logger: Logger): void {
  new Items(source).letGo(error => told(logger, route, error))
}

function told(logger: Logger, { name }: Route, error: unknown): void {
  logger.error(`${name}: its source failed when it was let go`, error)
}

/** The items of a source that is let go once, unless it has ended. */
class Items {
  #isOver = false

  constructor(private readonly source: Source) {}

  async next(): Promise<IteratorResult<unknown>> {
    try {
      const result = await this.source.next()
      if (result.done === true) this.#isOver = true
      return result
    } catch (error) {
      this.#isOver = true
      throw error
    }
  }

  /** A generator's `finally` runs, a stream is destroyed. */
  letGo(failed: (error: unknown) => void): void {
    if (this.#isOver) return
    this.#isOver = true
    new Promise(resolve => resolve(this.source.return?.())).catch(failed)
  }
}

async function pump(items: Items, response: ServerResponse, head: Head, content: Content): Promise<void> {
  let lines: boolean | undefined
  for (let item = await items.next(); item.done !== true && !isOver(response); item = await items.next()) {
    lines ??= isLines(response, head, item.value)
    const wait = content.write(toChunk(item.value, lines))
    if (wait !== undefined) await wait
    if (isOver(response)) return
  }
  if (!isOver(response)) await content.end()
}

/** Whether strings are lines of JSON, too. Where no type is given, the first item suggests one. */
function isLines(response: ServerResponse, head: Head, first: unknown): boolean {
  const given = fieldOf(response, head, 'Content-Type')
  if (given !== undefined) return String(given).includes('ndjson')
  const text = typeof first === 'string' ? 'text/plain; charset=utf-8' : 'application/x-ndjson; charset=utf-8'
  setField(head, 'Content-Type', first instanceof Uint8Array ? 'application/octet-stream' : text)
  return false
}

function toChunk(item: unknown, lines: boolean): string | Uint8Array {
  if (item instanceof Uint8Array) return item
  return typeof item === 'string' && !lines ? item : `${toJson(item)}\n`
}
