import { show } from '../declare/options.js'
import type { Task } from './mailbox.js'

/** Timers that live as long as what they belong to. */
export interface Lifetime {
  onEnd(ending: { ended(): void }): void
  offEnd(ending: { ended(): void }): void
}

/** Milliseconds that a timer of Node.js can wait, some 24 days; asked for more it does not wait at all. */
const LONGEST = 2_147_483_647

/** Ties a timer to a lifetime; answers a function that stops it before. It keeps no process alive. */
function tie(timer: NodeJS.Timeout, lifetime: Lifetime): () => void {
  timer.unref()
  const ending = { ended: () => clearTimeout(timer) }
  lifetime.onEnd(ending)
  return () => {
    ending.ended()
    lifetime.offEnd(ending)
  }
}

/** Runs a task after `ms` milliseconds, however many; answers a function that prevents it. @throws TypeError for no time */
export function later(ms: number, task: () => void, lifetime: Lifetime): () => void {
  checkTime('after', ms)
  const due = () => {
    cancel()
    if (ms > LONGEST) cancel = later(ms - LONGEST, task, lifetime)
    else task()
  }
  let cancel = tie(setTimeout(due, Math.min(ms, LONGEST)), lifetime)
  return () => cancel()
}

/**
 * Posts a task every `ms` milliseconds; a tick that finds the last one still waiting is left out. Answers a function that
 * stops it. @throws TypeError for no time
 */
export function repeat(ms: number, task: Task, to: Lifetime & { post(task: Task): void }): () => void {
  checkTime('every', ms)
  let waiting = false
  const tick = () => {
    if (waiting) return
    waiting = true
    to.post(() => {
      waiting = false
      return task()
    })
  }
  return tie(setInterval(tick, Math.min(ms, LONGEST)), to)
}

/** Node.js takes a millisecond for what is no time: `every` would flood the peer. */
function checkTime(method: string, ms: number): void {
  if (typeof ms === 'number' && ms >= 0) return
  throw new TypeError(`${method} takes milliseconds first, and ${show(ms)} are none: write ${method}(1000, message)`)
}
