/**
 * Everything that can be read item by item, as one kind of iterator. Its `return` works at once, even while `next` is
 * pending: a quiet source must be let go when its peer leaves, not at its next item.
 */

export interface Source {
  next(): IteratorResult<unknown> | Promise<IteratorResult<unknown>>
  return?(): unknown
}

/** The iterator of an iterable, an async iterable, a stream of Node's or the web's, or an observable; else undefined. */
export function sourceOf(value: unknown): Source | undefined {
  if (typeof value !== 'object' || value === null || ArrayBuffer.isView(value)) return undefined
  if (observableKey(value) !== undefined) return observed(value)
  if ('getReader' in value && typeof value.getReader === 'function') return webStream(value as ReadableStream)
  if (Symbol.asyncIterator in value) {
    const iterator = (value as AsyncIterable<unknown>)[Symbol.asyncIterator]()
    return 'destroy' in value ? nodeStream(value as NodeStream, iterator) : iterator
  }
  return Symbol.iterator in value ? (value as Iterable<unknown>)[Symbol.iterator]() : undefined
}

interface NodeStream {
  destroy(): unknown
  on?(event: 'error', listener: () => void): unknown
}

function nodeStream(stream: NodeStream, iterator: AsyncIterator<unknown>): Source {
  let released = false
  // `next` tells of errors, but it may never be called: a file that cannot be opened, and a peer that only asked for HEAD.
  stream.on?.('error', () => {})
  return {
    async next() {
      try {
        return await iterator.next()
      } catch (error) {
        if (!released) throw error
        return { done: true, value: undefined }
      }
    },
    return() {
      released = true
      stream.destroy()
    },
  }
}

interface ReadableStream {
  getReader(): { read(): Promise<{ done: boolean; value?: unknown }>; cancel(): Promise<void> }
}

function webStream(stream: ReadableStream): Source {
  const reader = stream.getReader()
  return {
    next: () => reader.read() as Promise<IteratorResult<unknown>>,
    return: () => reader.cancel(),
  }
}

/** Items that may wait for a slow peer: an observable cannot be asked to pause. */
const LIMIT = 1024

type Subscription = { unsubscribe(): void } | (() => void)

interface Observable {
  subscribe(observer: { next(item: unknown): void; error(error: unknown): void; complete(): void }): Subscription
}

function observableKey(value: object): string | symbol | undefined {
  const symbol = (Symbol as { observable?: symbol }).observable
  if (symbol !== undefined && symbol in value) return symbol
  return '@@observable' in value ? '@@observable' : undefined
}

/** @throws RangeError from `next` when more than 1,024 items wait */
function observed(value: object): Source {
  const observable = (value as Record<string | symbol, () => Observable>)[observableKey(value) ?? '']?.()
  const items: unknown[] = []
  let end: { error?: unknown } | undefined
  let waiting: (() => void) | undefined
  const wake = () => {
    waiting?.()
    waiting = undefined
  }
  const finish = (how: { error?: unknown }) => {
    end ??= how
    wake()
  }
  let subscription: Subscription | undefined
  const letGo = () => {
    if (typeof subscription === 'function') subscription()
    else subscription?.unsubscribe()
    subscription = undefined
  }
  subscription = observable?.subscribe({
    next(item) {
      if (end !== undefined) return
      if (items.length < LIMIT) {
        items.push(item)
        return wake()
      }
      finish({ error: new RangeError(`${LIMIT} items of an observable wait for a slow peer`) })
      letGo()
    },
    error: error => finish({ error }),
    complete: () => finish({}),
  })
  if (end !== undefined) letGo()
  const next = async (): Promise<IteratorResult<unknown>> => {
    if (items.length === 0 && end === undefined) {
      await new Promise<void>(resolve => {
        waiting = resolve
      })
    }
    if (items.length > 0) return { done: false, value: items.shift() }
    if (end !== undefined && 'error' in end) throw end.error
    return { done: true, value: undefined }
  }
  return {
    next,
    return() {
      finish({})
      letGo()
    },
  }
}
