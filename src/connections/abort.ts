/** Those who wait for a signal. It has one listener of ours, however many connections are linked to it. */
const waiting = new WeakMap<AbortSignal, { readonly listeners: Set<() => void>; readonly tell: () => void }>()

/** Calls back when a signal aborts. Answers a function that takes that back. */
export function onAbort(signal: AbortSignal, listener: () => void): () => void {
  const { listeners, tell } = waiting.get(signal) ?? watch(signal)
  listeners.add(listener)
  return () => {
    listeners.delete(listener)
    if (listeners.size > 0) return
    signal.removeEventListener('abort', tell)
    waiting.delete(signal)
  }
}

function watch(signal: AbortSignal) {
  const listeners = new Set<() => void>()
  const tell = () => {
    for (const listener of listeners) listener()
  }
  signal.addEventListener('abort', tell, { once: true })
  const watched = { listeners, tell }
  waiting.set(signal, watched)
  return watched
}
