import { makeId } from './id.js'
import type { NodeMessage } from './node-message.js'

interface Question {
  readonly missing: Set<string>
  sum: number
  readonly settle: () => void
}

/** Asks all nodes how many connections they have, and adds that up. */
export class Totals {
  readonly #open = new Map<string, Question>()

  constructor(
    private readonly notify: (message: NodeMessage) => Promise<void>,
    private readonly after: (ms: number, run: () => void) => () => void,
  ) {}

  /**
   * Settles when all of the nodes have answered, or are gone; those that have not after `patience` are left out.
   * @param own how many this node has
   */
  async ask(nodes: readonly string[], room: string | undefined, own: number, patience: number): Promise<number> {
    if (nodes.length === 0) return own
    const question = makeId()
    let settle = () => {}
    const settled = new Promise<void>(resolve => {
      settle = resolve
    })
    const open: Question = { missing: new Set(nodes), sum: own, settle }
    this.#open.set(question, open)
    const cancel = this.after(patience, settle)
    try {
      const said = this.notify({ say: 'count', question, ...(room === undefined ? {} : { room }) })
      // The log may take longer than all have.
      await Promise.race([said.then(() => settled), settled])
      return open.sum
    } finally {
      cancel()
      this.#open.delete(question)
    }
  }

  answered(node: string, question: string, count: number): void {
    const open = this.#open.get(question)
    if (open === undefined || !open.missing.delete(node)) return
    open.sum += count
    if (open.missing.size === 0) open.settle()
  }

  gone(node: string): void {
    for (const open of this.#open.values()) if (open.missing.delete(node) && open.missing.size === 0) open.settle()
  }

  /** Nobody will answer any more. */
  stop(): void {
    for (const open of this.#open.values()) open.settle()
  }
}
