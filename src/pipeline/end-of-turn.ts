import { runOutside } from './current.js'

let waiting: (() => void)[] = []

/** Runs something when this turn of the event loop is over: one immediate for all that ask within one turn. */
export function atEndOfTurn(run: () => void): void {
  if (waiting.push(run) === 1) runOutside(() => setImmediate(runAll))
}

function runAll(): void {
  const all = waiting
  waiting = []
  for (const run of all) run()
}
