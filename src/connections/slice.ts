import { setImmediate as nextTurn } from 'node:timers/promises'

/** Milliseconds after which everybody else has a turn: ten thousand writes take longer than a request should wait. */
const BUDGET = 5
/** Steps between two looks at the clock. */
const STEP = 16

/** What one turn of the event loop is given of something long. */
export class Slice {
  readonly #until: number
  #steps = 0

  /**
   * @param stretch how many times as much as others it has
   * @param most steps at the most: for tests
   */
  constructor(
    stretch = 1,
    private readonly most = Number.POSITIVE_INFINITY,
  ) {
    this.#until = performance.now() + stretch * BUDGET
  }

  /** Asked after each step: whether the rest is for later turns. */
  isOver(): boolean {
    return ++this.#steps >= this.most || (this.#steps % STEP === 0 && performance.now() > this.#until)
  }
}

/** Does something with each of very many, a slice of them in each turn of the event loop. @param most as for `Slice` */
export async function inSlices<T>(items: Iterable<T>, act: (item: T) => void, most?: number): Promise<void> {
  let slice = new Slice(1, most)
  for (const item of items) {
    act(item)
    if (!slice.isOver()) continue
    await nextTurn()
    slice = new Slice(1, most)
  }
}
