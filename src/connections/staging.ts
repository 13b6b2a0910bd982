/** What is staged in one turn of the event loop, and written at its end. */
export interface Staging {
  flushStaged(): void
}

let turn: Staging[] = []

export function flushAtEndOfTurn(queue: Staging): void {
  if (turn.length === 0) setImmediate(flushTurn)
  turn.push(queue)
}

function flushTurn(): void {
  const queues = turn
  turn = []
  for (const queue of queues) queue.flushStaged()
  lastStaged = []
  lastJoined = Buffer.alloc(0)
}

let lastStaged: readonly { readonly bytes: Buffer }[] = []
let lastJoined = Buffer.alloc(0)

/**
 * One buffer for what a turn staged. Members of one room staged the same buffers one after another, so the buffer that
 * was joined for the last queue serves most others as well: ten events in one turn cost each peer one write.
 */
export function joinShared(staged: readonly { readonly bytes: Buffer }[]): Buffer {
  const [first] = staged
  if (staged.length === 1 && first !== undefined) return first.bytes
  const same =
    staged.length === lastStaged.length && staged.every((item, index) => item.bytes === lastStaged[index]?.bytes)
  if (!same) {
    lastStaged = staged
    lastJoined = Buffer.concat(staged.map(item => item.bytes))
  }
  return lastJoined
}
