/** What stands in line for a peer. An idle connection has none of these, since its peer keeps up (`idle`). */
import type { Drained } from './drained.js'
import type { Waiting } from './turn.js'

export class Line {
  items: Waiting[] = []
  bytes = 0

  add(item: Waiting): void {
    this.items.push(item)
    this.bytes += item.bytes.length
  }

  delete(index: number): void {
    this.bytes -= this.items.splice(index, 1)[0]?.bytes.length ?? 0
  }

  /** Has what stands in another line stand behind its own. */
  takeOver(other: Line): void {
    this.items = this.items.length === 0 ? other.items : this.items.concat(other.items)
    this.bytes += other.bytes
    other.items = []
    other.bytes = 0
  }
}

/** What the peer has not taken, and who waits until it has. */
export class Backlog extends Line {
  isDraining = false
  /** One for all who wait, however many sends nobody awaits. */
  drained: Drained | undefined

  tell(taken: boolean): void {
    const { drained } = this
    this.drained = undefined
    drained?.tell(taken)
  }
}

/** What is kept until the opening has been sent. */
export class Kept {
  /** What was queued, and is to stand behind what the opening itself sends. */
  readonly aside = new Line()
  /** What was staged. */
  readonly staged = new Line()
}
