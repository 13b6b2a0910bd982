import { randomBytes } from 'node:crypto'
import { test } from 'node:test'
import type { EventLog, LogRetention, OpenEventLog } from '../index.js'
import { defaultLogger } from '../logger.js'
import { ListeningNode } from './listening-node.js'

/** What a room keeps in a test that does not say. */
export const retention: Required<LogRetention> = { count: 1000, bytes: 1_000_000, age: 3_600_000 }

/** Milliseconds that a test may take. */
const TIMEOUT = 60_000

let registries = 0

/** The log that is tested. Each test has a registry of its own, and whatever it opens is stopped after it. */
export class Subject {
  constructor(private readonly open: OpenEventLog) {}

  /** A test with one node. */
  node(title: string, run: (node: ListeningNode) => Promise<void>, kept: LogRetention = {}): void {
    this.nodes(title, async opened => run(await opened.node(kept)))
  }

  /** A test that opens its nodes itself. */
  nodes(title: string, run: (opened: Opened) => Promise<void>): void {
    test(title, { timeout: TIMEOUT }, async () => {
      const opened = new Opened(this.open)
      try {
        await run(opened)
      } finally {
        await opened.stopAll()
      }
    })
  }
}

/** The logs that one test has opened. */
export class Opened {
  readonly #logs: EventLog[] = []
  readonly #registry = newRegistry()

  constructor(private readonly open: OpenEventLog) {}

  /** A log that is not started. */
  async log(kept: LogRetention = {}, registry = this.#registry): Promise<EventLog> {
    const log = await this.open(registry, { ...retention, ...kept }, defaultLogger)
    this.#logs.push(log)
    return log
  }

  /** One more node of this test's registry. */
  async node(kept?: LogRetention): Promise<ListeningNode> {
    return new ListeningNode(await this.log(kept)).start()
  }

  async pair(kept?: LogRetention): Promise<[ListeningNode, ListeningNode]> {
    return [await this.node(kept), await this.node(kept)]
  }

  /** A node of another registry. */
  async stranger(): Promise<ListeningNode> {
    return new ListeningNode(await this.log({}, newRegistry())).start()
  }

  async stopAll(): Promise<void> {
    for (const log of this.#logs.splice(0)) await log.stop()
  }
}

/** None that was used before, on a server that keeps what it is given either. */
function newRegistry(): string {
  return `contract-${randomBytes(6).toString('hex')}-${registries++}`
}
