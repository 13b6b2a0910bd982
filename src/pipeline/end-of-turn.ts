import { runOutside } from './current.js'

let waiting: (() => void)[] = []

/** Runs something when this turn of the event loop is over: one immediate for all that ask within one turn. */
export function atEndOfTurn(run: () => void): void {
  if (waiting.push(run) === 1) runOutside(() => setImmediate(runAll))
}

/** Where one throws, those behind it have their turn in the next: it ends the process, unless somebody catches that. */
function runAll(): void {
  const all = waiting
  waiting = []
  let done = 0
  try {
    while (done < all.length) all[done++]?.()
  } finally {
    if (done < all.length) runBehind(all.slice(done))
  }
}

function runBehind(left: readonly (() => void)[]): void {
  const isDue = waiting.length > 0
  waiting = [...left, ...waiting]
  if (!isDue) runOutside(() => setImmediate(runAll))
}
