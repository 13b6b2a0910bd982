/** SIGTERM and SIGINT ask a process to end: its applications close first, all of them, and then it ends. */
const SIGNALS = ['SIGTERM', 'SIGINT'] as const

const closers = new Set<() => Promise<void>>()
let asked = false

/** Has `close` run when the process is asked to end. Answers a function that takes that back. */
export function onSignals(close: () => Promise<void>): () => void {
  if (closers.size === 0) for (const signal of SIGNALS) process.on(signal, end)
  closers.add(close)
  return () => {
    closers.delete(close)
    if (closers.size === 0 && !asked) for (const signal of SIGNALS) process.off(signal, end)
  }
}

/** Ends the process with 0, or with 1 where something did not stop cleanly, or nobody wants to wait any longer. */
function end(): void {
  if (asked) process.exit(1)
  asked = true
  Promise.allSettled([...closers].map(close => close())).then(settled =>
    process.exit(settled.every(({ status }) => status === 'fulfilled') ? 0 : 1),
  )
}
