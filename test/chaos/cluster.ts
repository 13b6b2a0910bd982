/** Three nodes, each a process, behind the balancer of the example, and what is sent through them. */
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { Balancer } from '../../examples/cluster/balancer.js'
import type { Presence } from '../../src/index.js'
import { eventually } from '../support/eventually.js'
import type { Broker } from './brokers.js'
import type { Answered, Told } from './node-program.js'

export interface Node {
  readonly name: string
  readonly child: ChildProcess
  frozen: boolean
  /** What it was told to send, and has not answered. */
  readonly pending: Set<number>
}

/** What came of a send; nothing, where it is on its way. */
type Outcome = { readonly epoch: string; readonly position: number } | 'refused' | 'unknown'

export class Cluster {
  readonly nodes = new Map<string, Node>()
  readonly outcomes = new Map<number, Outcome>()
  /** Most bytes that any node was seen to hold. */
  highest = 0
  /** Connections that ended since their peers did not keep up. */
  overflows = 0
  /** Why sends failed, and how often. */
  readonly failures = new Map<string, number>()
  /** How nodes ended that were asked to. */
  readonly exits: unknown[] = []
  #sent = 0
  #turn = 0
  #measured = 0

  private constructor(
    readonly balancer: Balancer,
    private readonly broker: Broker,
    private readonly environment: NodeJS.ProcessEnv,
  ) {}

  /** The caller ends it. */
  static async open(names: readonly string[], broker: Broker, environment: NodeJS.ProcessEnv = {}): Promise<Cluster> {
    const cluster = new Cluster(await Balancer.listen({ every: 150 }), broker, environment)
    await Promise.all(names.map(name => cluster.start(name)))
    await cluster.settled()
    return cluster
  }

  async start(name: string): Promise<void> {
    const child = await this.broker.fork({ ...process.env, ...this.environment })
    const node: Node = { name, child, frozen: false, pending: new Set() }
    const port = await portOf(name, child)
    this.nodes.set(name, node)
    child.on('message', (answered: Answered) => this.#hear(node, answered))
    child.once('exit', () => {
      for (const n of node.pending) this.outcomes.set(n, 'unknown')
      if (this.nodes.get(name) === node) this.nodes.delete(name)
    })
    await this.balancer.add(name, port)
  }

  /** Waits until all nodes say that they are ready. */
  async settled(): Promise<void> {
    const ready = async () => {
      await this.balancer.ask()
      return this.balancer.nodes.every(node => node.ready)
    }
    await eventually('all nodes are ready', ready, { timeout: 60_000 })
  }

  async kill(name: string): Promise<void> {
    await this.#end(name, 'SIGKILL')
  }

  /** Asks it to go, and waits until it has gone. */
  async drain(name: string): Promise<void> {
    this.exits.push(await this.#end(name, 'SIGTERM'))
  }

  async freeze(name: string, ms: number): Promise<void> {
    const node = this.nodes.get(name)
    if (node === undefined) return
    node.frozen = true
    node.child.kill('SIGSTOP')
    await sleep(ms)
    node.child.kill('SIGCONT')
    node.frozen = false
  }

  /** Who is present, in the eyes of each node that is well. */
  async presence(): Promise<readonly (readonly Presence[])[]> {
    const well = [...this.nodes.values()].filter(({ frozen, child }) => !frozen && child.connected)
    return Promise.all(
      well.map(async ({ child }) => {
        const told: Told = { presence: true }
        const [answer] = await Promise.all([answerOf(child, isPresence), child.send(told, () => {})])
        return answer.present
      }),
    )
  }

  /** Has one of the nodes that are well send the next number. */
  send(room = 'all', padding = 0): void {
    const n = padding > 0 ? -2 : this.#sent++
    const well = [...this.nodes.values()].filter(({ frozen, child }) => !frozen && child.connected)
    const node = well[this.#turn++ % Math.max(1, well.length)]
    if (node === undefined) return padding > 0 ? undefined : void this.outcomes.set(n, 'refused')
    if (padding === 0) node.pending.add(n)
    const told: Told = { send: n, room, padding }
    node.child.send(told, error => {
      if (error !== null && node.pending.delete(n)) this.outcomes.set(n, 'unknown')
    })
  }

  /** Sends until one is taken, and waits for that: its number. */
  async sendLast(): Promise<number> {
    for (;;) {
      const n = this.#sent
      this.send()
      await eventually('it has an answer', () => this.outcomes.has(n), { timeout: 60_000 })
      if (typeof this.outcomes.get(n) === 'object') return n
    }
  }

  get sent(): number {
    return this.#sent
  }

  /** What the log took, in its order: one list for each of its epochs, the older first. */
  get taken(): number[][] {
    const epochs = new Map<string, { n: number; position: number }[]>()
    for (const [n, outcome] of [...this.outcomes].sort(([one], [other]) => one - other)) {
      if (typeof outcome === 'string') continue
      const { epoch, position } = outcome
      epochs.set(epoch, [...(epochs.get(epoch) ?? []), { n, position }])
    }
    return [...epochs.values()].map(list => list.sort((a, b) => a.position - b.position).map(({ n }) => n))
  }

  /** Those of which nobody knows whether the log took them. */
  get unknown(): ReadonlySet<number> {
    return new Set([...this.outcomes].filter(([, outcome]) => outcome === 'unknown').map(([n]) => n))
  }

  /** Asks the nodes what they hold, twice a second at the most. */
  measure(): void {
    const now = performance.now()
    if (now - this.#measured < 500) return
    this.#measured = now
    const told: Told = { measure: true }
    for (const { frozen, child } of this.nodes.values()) if (!frozen && child.connected) child.send(told, () => {})
  }

  async end(): Promise<void> {
    for (const name of [...this.nodes.keys()]) await this.kill(name)
    await this.balancer.close()
  }

  async #end(name: string, signal: NodeJS.Signals): Promise<unknown> {
    const node = this.nodes.get(name)
    if (node === undefined) return undefined
    const { child } = node
    const exited = once(child, 'exit')
    if (signal === 'SIGTERM') await this.#retire(node)
    child.kill(signal)
    child.kill('SIGCONT')
    return (await exited)[0]
  }

  /** It is told to send nothing more: what it has been told, it sends before it goes. */
  async #retire(node: Node): Promise<void> {
    this.nodes.delete(node.name)
    await eventually('it has sent what it was told to', () => node.pending.size === 0, { timeout: 60_000 })
  }

  #hear({ pending }: Node, answered: Answered): void {
    if ('rss' in answered) {
      this.highest = Math.max(this.highest, answered.rss)
      this.overflows += answered.overflows
    }
    if (!('sent' in answered) || !pending.delete(answered.sent)) return
    if ('id' in answered) {
      const [epoch = '', position] = answered.id.split('-')
      this.outcomes.set(answered.sent, { epoch, position: Number(position) })
    } else {
      this.failures.set(answered.why, (this.failures.get(answered.why) ?? 0) + 1)
      this.outcomes.set(answered.sent, answered.outcome)
    }
  }
}

type Listening = Extract<Answered, { port: number }>
type Present = Extract<Answered, { present: unknown }>

const isPort = (answered: Answered): answered is Listening => 'port' in answered
const isPresence = (answered: Answered): answered is Present => 'present' in answered

async function portOf(name: string, child: ChildProcess): Promise<number> {
  try {
    return (await answerOf(child, isPort)).port
  } catch (cause) {
    throw new Error(`${name} ended before it listened`, { cause })
  }
}

/** Waits for an answer of one kind. Rejects where the node ends before. */
function answerOf<T extends Answered>(child: ChildProcess, isIt: (answered: Answered) => answered is T): Promise<T> {
  return new Promise((resolve, reject) => {
    const hear = (answered: Answered) => {
      if (!isIt(answered)) return
      child.off('message', hear).off('exit', fail)
      resolve(answered)
    }
    const fail = (code: unknown) => {
      child.off('message', hear)
      reject(new Error(`a node ended with ${code}`))
    }
    child.on('message', hear).once('exit', fail)
  })
}
