/** What goes to many members is given in turns of the event loop, so that everybody else has theirs. */
import { runOutside } from '../pipeline/current.js'
import { Drained } from './drained.js'
import type { Addressees, Members } from './members.js'
import type { Membership } from './membership.js'

/** What is on its way to members. */
export interface Letter {
  readonly to: Addressees
  /** What giving it to one member costs, in messages that are staged. */
  readonly weight: number
  give(member: Membership): void
}

/** Who was given what is on its way, or has come too late for it. */
interface Round {
  readonly letter: Letter
  readonly done: Set<Membership>
  left: Iterator<Membership> | undefined
  /** For those who wait until all have it. */
  given: Drained | undefined
}

/** Messages that may be staged in one turn of the event loop: two to five milliseconds, as writing may take (`turn.ts`). */
const MOST = 10_000

/**
 * Gives what comes to whom it is for, one after the other. What is for more than the turn has left waits, and all that
 * comes behind it. So each member gets everything in order, and as if at once: who comes, goes or ends meanwhile is first
 * given what waits for it.
 */
export class Rounds {
  readonly #rounds: Round[] = []
  /** What the turn has left. */
  #left: number
  /** It is known when the next turn begins. */
  #isCounting = false

  /**
   * @param after ends whom a letter could not be given; runs before anything else is
   * @param most for tests
   */
  constructor(
    private readonly members: Members,
    private readonly after: () => void,
    private readonly most = MOST,
  ) {
    this.#left = most
  }

  deliver(letter: Letter): void {
    const cost = letter.weight * this.members.countOf(letter.to)
    if (this.#rounds.length === 0 && cost <= this.#left) {
      this.#take(cost)
      for (const member of this.members.reached(letter.to)) letter.give(member)
      this.after()
    } else if (this.#rounds.push({ letter, done: new Set(), left: undefined, given: undefined }) === 1) this.#goOn()
  }

  /** A member is about to come into a room, to leave one, or to end. One that ends for what it could not take gets no more. */
  settle(member: Membership): void {
    if (this.#rounds.length === 0 || member.connection.closeReason?.kind === 'overflow') return
    for (const { letter, done } of this.#rounds) {
      if (done.has(member)) continue
      done.add(member)
      if (this.members.isReached(member, letter.to)) letter.give(member)
    }
    this.after()
  }

  /** Gives all that waits. */
  finish(): void {
    if (this.#rounds.length === 0) return
    this.#left = Number.POSITIVE_INFINITY
    this.#goOn()
    this.#left = 0
  }

  /** Settles when all that has come is given; undefined where it is. */
  get given(): Promise<unknown> | undefined {
    const last = this.#rounds.at(-1)
    if (last === undefined) return undefined
    last.given ??= new Drained()
    return last.given.promise
  }

  #take(cost: number): void {
    this.#left -= cost
    if (this.#isCounting) return
    this.#isCounting = true
    runOutside(() => setImmediate(() => this.#begin()))
  }

  /** Another turn has begun. */
  #begin(): void {
    this.#isCounting = false
    this.#left = this.most
    if (this.#rounds.length > 0) this.#goOn()
  }

  #goOn(): void {
    this.#take(0)
    for (let round = this.#rounds[0]; round !== undefined; round = this.#rounds[0]) {
      const isOver = this.#give(round)
      this.after()
      if (!isOver) return
      this.#rounds.shift()
      round.given?.tell(true)
    }
  }

  /** Gives a letter to as many as the turn has left; answers whether those are all. */
  #give(round: Round): boolean {
    const { letter, done } = round
    round.left ??= [...this.members.reached(letter.to)].values()
    while (this.#left > 0) {
      const { value: member, done: isOver } = round.left.next()
      if (isOver) return true
      if (done.has(member)) continue
      done.add(member)
      letter.give(member)
      this.#left -= letter.weight
    }
    return false
  }
}
