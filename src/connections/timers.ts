import type { Task } from './mailbox.js'

/** Timers that live as long as what they belong to. */
export interface Lifetime {
  onEnd(ending: { ended(): void }): void
  offEnd(ending: { ended(): void }): void
}

/** Milliseconds that a timer of Node.js can wait, some 24 days; asked for more it does not wait at all. */
export const LONGEST = 2_147_483_647

/** Ties a timer to a lifetime; answers a function that stops it before. It keeps no process alive. */
export function tie(timer: NodeJS.Timeout, lifetime: Lifetime): () => void {
  timer.unref()
  const ending = { ended: () => clearTimeout(timer) }
  lifetime.onEnd(ending)
  return () => {
    ending.ended()
    lifetime.offEnd(ending)
  }
}

/** Posts a task every `ms` milliseconds; a tick that finds the last one still waiting is left out. */
export function repeat(ms: number, task: Task, to: { post(task: Task): void }): NodeJS.Timeout {
  let waiting = false
  return setInterval(
    () => {
      if (waiting) return
      waiting = true
      to.post(() => {
        waiting = false
        return task()
      })
    },
    Math.min(ms, LONGEST),
  )
}
