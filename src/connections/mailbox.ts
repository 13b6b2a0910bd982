import { isPromise } from '../pipeline/settle.js'

export type Task = () => unknown

/** Tasks that one mailbox runs in one go; then the rest of the process has its turn. */
const TURN = 100
/** Mailboxes that may run inside of each other's tasks: a message handed on from one to the next costs stack. */
const DEPTH = 20
let depth = 0

/**
 * One thing at a time: tasks run in the order they were posted, the next when the last one's promise has settled. A
 * task that returns no promise is done when it returns.
 */
export class Mailbox {
  #running = false
  #closed = false
  #tasks: Task[] = []

  constructor(
    private readonly failed: (error: unknown) => void,
    /** Called when a task was taken from the queue, with how many are left. */
    private readonly taken: (left: number) => void,
  ) {}

  get length(): number {
    return this.#tasks.length
  }

  post(task: Task): void {
    if (this.#closed) return
    if (!this.#running && depth < DEPTH) return this.#run(task)
    this.#tasks.push(task)
    if (!this.#running) this.#goOnLater()
  }

  /**
   * Drops what waits and runs one last task, when the running one has settled or after `patience` milliseconds. Settles
   * when that is done, or after as long again.
   */
  async close(last: Task, patience: number): Promise<void> {
    this.#closed = true
    this.#tasks = []
    if (this.#running) await atMost(patience, new Promise<void>(resolve => (this.#idle = resolve)))
    const result = this.#attempt(last)
    if (result !== undefined) await atMost(patience, result)
  }

  #idle: () => void = () => {}

  #run(first: Task): void {
    this.#running = true
    let left = TURN
    for (let task: Task | undefined = first; task !== undefined; task = this.#next()) {
      const result = this.#attempt(task)
      if (result !== undefined) return void result.then(() => this.#goOn())
      if (--left === 0) return this.#goOnLater()
    }
    this.#running = false
    this.#idle()
  }

  #goOnLater(): void {
    this.#running = true
    setImmediate(() => this.#goOn())
  }

  #goOn(): void {
    const next = this.#next()
    if (next !== undefined) return this.#run(next)
    this.#running = false
    this.#idle()
  }

  #next(): Task | undefined {
    const task = this.#tasks.shift()
    if (task !== undefined) this.taken(this.#tasks.length)
    return task
  }

  #attempt(task: Task): PromiseLike<unknown> | undefined {
    depth++
    try {
      const result = task()
      return isPromise(result) ? result.then(undefined, this.failed) : undefined
    } catch (error) {
      this.failed(error)
      return undefined
    } finally {
      depth--
    }
  }
}

/** Waits for a promise, but not for ever. */
async function atMost(ms: number, promise: PromiseLike<unknown>): Promise<void> {
  let timer: NodeJS.Timeout | undefined
  const limit = new Promise<void>(resolve => {
    timer = setTimeout(resolve, ms)
  })
  await Promise.race([promise, limit])
  clearTimeout(timer)
}
