import { isPromise } from '../pipeline/settle.js'
import { Stop } from './close-reason.js'
import type { Source } from './sources.js'

/** A source that is all that its connection is for: behind its last item comes `stop()`, for whoever reads it as an iterable. */
export class Feed implements AsyncIterable<unknown> {
  constructor(readonly source: Source) {}

  [Symbol.asyncIterator](): AsyncIterator<unknown> {
    return stopAfter(this.source) as AsyncIterator<unknown>
  }
}

function stopAfter(source: Source): Source {
  let stopped = false
  const read = (result: IteratorResult<unknown>): IteratorResult<unknown> => {
    if (result.done !== true || stopped) return result
    stopped = true
    return { done: false, value: new Stop({}) }
  }
  return {
    next() {
      if (stopped) return { done: true, value: undefined }
      const result = source.next()
      return isPromise(result) ? Promise.resolve(result).then(read) : read(result)
    },
    ...(source.return === undefined ? {} : { return: () => (stopped ? undefined : source.return?.()) }),
  }
}
