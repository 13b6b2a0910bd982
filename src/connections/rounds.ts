/** What goes to many members is given in turns of the event loop, so that everybody else has theirs. */
import { runOutside } from '../pipeline/current.js'
import { Drained } from './drained.js'
import { handleLater } from './mailbox.js'
import type { Addressees, Members } from './members.js'
import type { Membership } from './membership.js'
import { Slice } from './slice.js'
import { dealOut } from './turn.js'

/** What is on its way to members. */
export interface Letter {
  readonly to: Addressees
  /** What giving it to one member costs, in messages that are staged. */
  readonly weight: number
  /** Whether it runs what takes nobody knows how long. */
  readonly runs?: boolean
  give(member: Membership): void
  /** Writes it to a member at once; `false` where that cannot be, and it is to be given. */
  pass?(member: Membership): boolean
  /** For those who wait until all have it. */
  given?: Drained | undefined
}

/** How far a letter has come. */
interface Round {
  readonly letter: Letter
  /** One more than that of the round before. */
  readonly number: number
  /** Whom it is for, since it began. */
  members: readonly Membership[] | undefined
  /** How many of them have had their turn. */
  at: number
}

/** Messages that may be staged in one turn of the event loop: two to five milliseconds, as writing may take (`slice.ts`). */
const MOST = 10_000
/** Letters that may wait: where more do, and more with each turn, turns are made longer until they are no longer more. */
const WAITING = 1000

/**
 * Gives what comes to whom it is for, one after the other. What is for more than the turn has left waits, and all that
 * comes behind it. So each member gets everything in order, and as if at once: who comes, goes or ends meanwhile is first
 * given what waits for it. Each member knows the last round that it had, so whoever gives, and whatever the handlers do
 * that run in between, it has each round once, and none before the last.
 */
export class Rounds {
  /** Those that wait, in their order. */
  readonly #rounds: Round[] = []
  /** How many there have been. */
  #count = 0
  /** What the turn has left. */
  #left: number
  /** What runs handlers takes as long as they do: it has no more than the time of the turn. */
  #slice = new Slice()
  /** It is known when the next turn begins. */
  #isCounting = false
  /** How many waited when the turn began. */
  #waited = 0
  /** How many times as long as others the turn may be: who brings more than can be given is slowed down by that. */
  #stretch = 1

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

  /** @param slice in which it may be written at once, where nothing stands before it */
  deliver(letter: Letter, slice?: Slice): void {
    const round: Round = { letter, number: ++this.#count, members: undefined, at: 0 }
    if (this.#rounds.push(round) === 1) this.#goOn(slice)
  }

  /**
   * A member is about to come into a room, to leave one, or to end: it is given what waits for it, until nothing does. What
   * its handlers bring about meanwhile they hear of later, so that this has an end. One that ends for what it could not take
   * gets no more.
   */
  settle(member: Membership): void {
    dealOut()
    const last = this.#count
    for (let round = this.#nextOf(member); round !== undefined; round = this.#nextOf(member)) {
      member.round = round.number
      const { letter, number } = round
      const isOver = member.connection.closeReason?.kind === 'overflow'
      if (!isOver && this.members.isReached(member, letter.to)) {
        if (number <= last) letter.give(member)
        else handleLater(() => letter.give(member))
      }
      this.after()
      dealOut()
    }
  }

  /** The first round that waits and that a member has not had. */
  #nextOf(member: Membership): Round | undefined {
    const [first] = this.#rounds
    return first && this.#rounds[Math.max(0, member.round + 1 - first.number)]
  }

  /** Whether a letter has to wait, or is for more than the turn has left. */
  isLong({ to, weight }: Letter): boolean {
    return this.#rounds.length > 0 || weight * this.members.countOf(to) > this.#left
  }

  /** The last letter that waits, where members may be added to it as if each came behind it with one of its own. */
  openTo(members: Iterable<Membership>): Letter | undefined {
    const last = this.#rounds.at(-1)
    if (last === undefined || last.members !== undefined) return undefined
    for (const member of members) if (member.round >= last.number) return undefined
    return last.letter
  }

  /** Gives all that waits, but not what comes of that. */
  finish(): void {
    dealOut()
    const last = this.#rounds.at(-1)
    if (last !== undefined) this.#goOn(undefined, last)
  }

  /** Settles when all that has come is given; undefined where it is. */
  get given(): Promise<unknown> | undefined {
    const last = this.#rounds.at(-1)
    return last && whenGiven(last.letter)
  }

  #countTurn(): void {
    if (this.#isCounting) return
    this.#isCounting = true
    this.#slice = new Slice(this.#stretch)
    runOutside(() => setImmediate(() => this.#begin()))
  }

  /** Another turn has begun. */
  #begin(): void {
    this.#isCounting = false
    this.#stretch = this.#stretchNow()
    this.#left = this.most * this.#stretch
    if (this.#rounds.length > 0) this.#goOn()
  }

  /** What one turn brought, however much, is given in short turns. */
  #stretchNow(): number {
    const [before, now] = [this.#waited, this.#rounds.length]
    this.#waited = now
    if (now <= WAITING) return 1
    return before > WAITING && now > before ? 2 * this.#stretch : this.#stretch
  }

  /** @param last of those that are given whatever the turn has left */
  #goOn(slice?: Slice, last?: Round): void {
    this.#countTurn()
    for (let round = this.#rounds[0]; round !== undefined; round = this.#rounds[0]) {
      const isDue = last !== undefined && round.number <= last.number
      const isOver = this.#give(round, slice, isDue)
      this.after()
      if (!isOver) return
      // Whom it was given may have sent so much that all that waited was given.
      if (this.#rounds[0] === round) this.#rounds.shift()
      round.letter.given?.tell(true)
    }
  }

  /** Gives a letter to as many as the turn has left; answers whether those are all. What is passed costs time alone. */
  #give(round: Round, slice: Slice | undefined, isDue: boolean): boolean {
    const { letter } = round
    round.members ??= [...this.members.reached(letter.to)]
    const { members } = round
    let writing = letter.pass === undefined ? undefined : slice
    while (this.#left > 0 || isDue) {
      const member = members[round.at++]
      if (member === undefined) return true
      if (member.round >= round.number) continue
      member.round = round.number
      if (writing !== undefined && letter.pass?.(member)) {
        if (writing.isOver()) writing = undefined
      } else {
        letter.give(member)
        this.#left -= letter.weight
        if (letter.runs && this.#slice.isOver()) this.#left = 0
      }
    }
    return round.at >= members.length
  }
}

export function whenGiven(letter: Letter): Promise<unknown> {
  letter.given ??= new Drained()
  return letter.given.promise
}
