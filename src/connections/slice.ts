/** Milliseconds after which everybody else has a turn: ten thousand writes take longer than a request should wait. */
const BUDGET = 5
/** Steps between two looks at the clock. */
const STEP = 64

/** What one turn of the event loop is given of something long. */
export class Slice {
  readonly #until = performance.now() + BUDGET
  #steps = 0

  /** Asked after each step: whether the rest is for later turns. */
  isOver(): boolean {
    return ++this.#steps % STEP === 0 && performance.now() > this.#until
  }
}
