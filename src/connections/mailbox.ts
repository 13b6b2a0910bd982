import { atEndOfTurn } from '../pipeline/end-of-turn.js'
import { isPromise } from '../pipeline/settle.js'

export type Task = () => unknown

/** Tasks that one mailbox runs in one go; then the rest of the process has its turn. */
const TURN = 100
/** Milliseconds that the running task of a mailbox that is closed has to settle, and then the last. */
const CLOSE_PATIENCE = 5000
/** Mailboxes that may run inside of each other's tasks: a message handed on from one to the next costs stack. */
const DEPTH = 20
let depth = 0

/** Runs something in the midst of which no handler may run: what is posted has its turn later. */
export function handleLater(run: () => void): void {
  depth += DEPTH
  try {
    run()
  } finally {
    depth -= DEPTH
  }
}

/** The tasks of all who have none: an idle connection keeps no array. */
const NONE: Task[] = []

/** Where nobody waits for the running task of a mailbox that was closed. */
const nobody = () => {}

/**
 * One thing at a time: tasks run in the order they were queued, the next when the last one's promise has settled. A task
 * that returns no promise is done when it returns. A connection is one, in place of having one: 80 bytes less (`idle`).
 */
export abstract class Mailbox {
  #running = false
  #tasks: Task[] = NONE
  /** Undefined until it is closed; then who hears that the task which was running has settled. */
  #closing: (() => void) | undefined

  /** A task threw or rejected. @internal */
  abstract failed(error: unknown): void

  /** @internal */
  protected queueTask(task: Task): void {
    if (this.#closing !== undefined) return
    if (!this.#running && depth < DEPTH) return this.runTasks(task)
    if (this.#tasks === NONE) this.#tasks = [task]
    else this.#tasks.push(task)
    if (!this.#running) this.goOnLater()
  }

  /** All wait for what is under way already, until `goOnWith` or `goOnWithout` says what came of it: costs no promise. @internal */
  holdTasks(): void {
    this.#running = true
  }

  /** What all waited for has come to this. @internal */
  goOnWith(result: unknown): void {
    if (isPromise(result)) this.awaitTask(result, () => this.goOn())
    else this.goOn()
  }

  /** What all waited for has failed. @internal */
  goOnWithout(error: unknown): void {
    this.failed(error)
    this.goOn()
  }

  /**
   * Takes nothing more, and runs one last task. It waits for the running one, and then runs or drops what waits; a task
   * that has not settled in time is given up, with those behind it. Calls back when the last is done.
   * @internal
   */
  protected closeTasks(last: Task, waiting: 'run' | 'drop', done: () => void): void {
    this.#closing = nobody
    const tasks = waiting === 'run' ? [...this.#tasks, last] : [last]
    this.#tasks = NONE
    const goOn = (inTime: boolean) => {
      if (!inTime) tasks.splice(0, tasks.length - 1)
      for (let task = tasks.shift(); task !== undefined; task = tasks.shift()) {
        const result = this.attempt(task)
        if (result !== undefined) return within(CLOSE_PATIENCE, settled => this.awaitTask(result, settled), goOn)
      }
      done()
    }
    if (!this.#running) return goOn(true)
    within(CLOSE_PATIENCE, settled => (this.#closing = settled), goOn)
  }

  private runTasks(first: Task): void {
    this.#running = true
    let left = TURN
    for (let task: Task | undefined = first; task !== undefined; task = this.nextTask()) {
      const result = this.attempt(task)
      if (result !== undefined) return this.awaitTask(result, () => this.goOn())
      if (--left === 0) return this.goOnLater()
    }
    this.#running = false
    this.#closing?.()
  }

  private awaitTask(result: PromiseLike<unknown>, settled: () => void): void {
    result.then(settled, error => {
      this.failed(error)
      settled()
    })
  }

  private goOnLater(): void {
    this.#running = true
    setImmediate(() => this.goOn())
  }

  private goOn(): void {
    const next = this.nextTask()
    if (next !== undefined) return this.runTasks(next)
    this.#running = false
    this.#closing?.()
  }

  private nextTask(): Task | undefined {
    if (this.#tasks.length < 2) {
      const [last] = this.#tasks
      this.#tasks = NONE
      return last
    }
    return this.#tasks.shift()
  }

  private attempt(task: Task): PromiseLike<unknown> | undefined {
    depth++
    try {
      const result = task()
      return isPromise(result) ? result : undefined
    } catch (error) {
      this.failed(error)
      return undefined
    } finally {
      depth--
    }
  }
}

/**
 * Waits until `settled` is called, but not for ever, and keeps no process alive for it: goes on with whether it was in
 * time. What settles within this turn of the event loop, as nearly all does, needs no timer (`generator`).
 */
function within(ms: number, wait: (settled: () => void) => void, goOn: (inTime: boolean) => void): void {
  let timer: NodeJS.Timeout | undefined
  let isOver = false
  const end = (inTime: boolean) => {
    if (isOver) return
    isOver = true
    clearTimeout(timer)
    goOn(inTime)
  }
  wait(() => end(true))
  atEndOfTurn(() => {
    if (!isOver) timer = setTimeout(end, ms, false).unref()
  })
}
