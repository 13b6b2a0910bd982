import { setTimeout as sleep } from 'node:timers/promises'
import type { LogEntry, Notice, Place } from '../connections/event-log.js'
import { readEntry, readNotice } from './foreign.js'
import type { LeftOut } from './left-out.js'
import type { RedisClient, RedisLink } from './redis-link.js'

/** One thing that was said. */
export interface TailItem {
  readonly epoch: string
  readonly position: number
  /** The position of the item before it. */
  readonly previous: number
  /** Undefined where somebody else wrote it wrongly. */
  readonly message: LogEntry | Notice | undefined
}

/** What the tail of a registry is followed by. */
export interface Follower {
  /** Behind which position to read on. Another object where the node has moved. */
  readonly stand: Place
  /** It is to look before it hears anything. */
  readonly doubtful: boolean
  readonly leftOut: LeftOut
  /** Asks where the node stands, and moves it where its place is lost. */
  look(client: RedisClient): Promise<void>
  hear(item: TailItem): void
  /** What lies before this item is not there any more. */
  miss(item: TailItem): void
  /** The tail is followed, or no longer. */
  follows(follows: boolean, error?: unknown): void
}

/** Milliseconds after which a tail is read again in which somebody else has written. */
const PAUSE = 100
/** Milliseconds that Redis waits for something to come; so often a silent node makes sure of its place. */
const BLOCK = 1000
/** Milliseconds after that in which an answer must be here. */
const PATIENCE = 4000
/**
 * Items that are read at a time. Where an answer was lost it may have been too large: then fewer, and one more with each that
 * comes, so that a node which is behind is soon where the others are.
 */
const BATCH = 250

/** Reads what is said in a registry, in its order, for as long as its link is open. */
export async function follow(link: RedisLink, key: string, follower: Follower): Promise<void> {
  let batch = BATCH
  for (;;) {
    const client = await link.ready().catch(() => undefined)
    if (client === undefined) return
    try {
      await link.ask(client, () => follower.look(client), PATIENCE)
      follower.follows(true)
      for (;;) {
        const asked = batch
        batch = Math.ceil(asked / 4)
        const isMore = await step(link, client, key, follower, asked)
        batch = isMore ? Math.min(BATCH, asked + 1) : BATCH
      }
    } catch (error) {
      link.drop(client, error)
      follower.follows(false, error)
    }
  }
}

/** Whether there may be more. */
async function step(link: RedisLink, client: RedisClient, key: string, follower: Follower, batch: number) {
  const { stand } = follower
  const from = { key, id: `${stand.position}-0` }
  const reply = await link.ask(client, () => client.xRead(from, { BLOCK, COUNT: batch }), BLOCK + PATIENCE)
  if (follower.stand !== stand) return true
  const items = readItems(reply, key, follower.leftOut)
  if (items.length === 0 || follower.doubtful) await link.ask(client, () => follower.look(client), PATIENCE)
  if (follower.stand !== stand) return true
  let heard = 0
  let hasLooked = false
  for (const item of items) {
    const asked = follower.stand
    // It has looked since these were read: what is of another epoch than its own is somebody else's.
    if (hasLooked && item.epoch !== asked.epoch) continue
    if (!isNext(item, asked)) {
      await link.ask(client, () => follower.look(client), PATIENCE)
      hasLooked = true
      if (follower.stand !== asked) return true
      if (item.epoch !== asked.epoch) continue
      if (item.previous > asked.position) {
        follower.miss(item)
        return true
      }
    }
    follower.hear(item)
    heard++
  }
  if (heard < items.length) await sleep(PAUSE)
  return items.length > 0
}

/** What lies behind a leap is not: who knows of more in front of it must not hear it. */
function isNext(item: TailItem, { epoch, position }: Place): boolean {
  return item.epoch === epoch && item.previous === position && item.position === position + 1
}

type Reply = readonly { readonly messages: readonly { readonly id: string; readonly message: Fields }[] }[] | null
type Fields = Readonly<Partial<Record<'h' | 'd' | 'p' | 'e', string>>>

function readItems(reply: unknown, key: string, leftOut: LeftOut): TailItem[] {
  const messages = (reply as Reply)?.[0]?.messages ?? []
  return messages.map(({ id, message: { h, d, p, e } }) => {
    const epoch = p === undefined || e === undefined ? '' : e
    const position = Number.parseInt(id, 10)
    const read = () => (h === '' ? readNotice(d) : readEntry(position, h, d))
    return { epoch, position, previous: Number(p), message: leftOut.read(`${id} of ${key}`, read) }
  })
}

/** What is kept of an entry beside its data. */
export function headOf({ rooms, event, except }: Omit<LogEntry, 'position'>): string {
  return JSON.stringify([rooms ?? null, event, except])
}
