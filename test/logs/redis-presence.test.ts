/** Nodes that are processes, on one Redis: killed, frozen, drained. */
import assert from 'node:assert/strict'
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { request } from 'node:http'
import type { TestContext } from 'node:test'
import { createParser } from 'eventsource-parser'
import { WebSocket as Client } from 'ws'
import type { PresenceEvent, PresenceOptions } from '../../src/index.js'
import { eventually } from '../support/eventually.js'
import { RedisServer, redisTest } from '../support/redis-server.js'
import { WatchingPeer } from '../support/watching-peer.js'

/** Short, where a node is to be found dead; long, where a busy machine must not make it seem so. */
const short = { heartbeat: 2000 }
const long = { heartbeat: 8000, linger: 20_000 }

interface NodeProcess {
  readonly child: ChildProcess
  readonly port: number
}

async function startNode(url: string, presence: PresenceOptions): Promise<NodeProcess> {
  const child = fork(new URL('../support/presence-node.js', import.meta.url), [url, JSON.stringify(presence)])
  const [{ port }] = await once(child, 'message')
  return { child, port }
}

async function end({ child }: NodeProcess, signal: NodeJS.Signals): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const exited = once(child, 'exit')
  child.kill(signal)
  await exited
}

/** A peer that watches the room it is in, and comes back when its connection ends: to the node it is told of. */
class Peer extends WatchingPeer {
  #leave = () => {}
  /** Where it is told to come back to. */
  home: NodeProcess | undefined
  retry = 0

  constructor(
    readonly kind: 'stream' | 'socket',
    readonly user: string,
  ) {
    super()
  }

  connect(t: TestContext, node: NodeProcess): void {
    this.home = node
    t.after(() => this.leave())
    this.#connect()
  }

  leave(): void {
    this.home = undefined
    this.#leave()
  }

  #connect(): void {
    if (this.home === undefined) return
    const path = `127.0.0.1:${this.home.port}/a/${this.user}`
    this.#leave = this.kind === 'socket' ? this.#openSocket(`ws://${path}`) : this.#openStream(`http://${path}`)
  }

  #openSocket(url: string): () => void {
    const client = new Client(url)
    client.on('message', text => this.#took(JSON.parse(String(text))))
    client.on('error', () => {})
    client.on('close', () => this.#comeBack())
    return () => client.terminate()
  }

  #openStream(url: string): () => void {
    const parser = createParser({
      onEvent: ({ event = '', data }) => this.#took({ event, data: data === '' ? '' : JSON.parse(data) }),
      onRetry: ms => {
        this.retry = ms
      },
    })
    const asked = request(url, { headers: { Accept: 'text/event-stream' } }, response => {
      response.setEncoding('utf8').on('data', text => parser.feed(text))
      response.on('error', () => {})
      response.on('close', () => this.#comeBack())
    })
    asked.on('error', () => {})
    asked.end()
    return () => asked.destroy()
  }

  #comeBack(): void {
    const wait = this.kind === 'stream' ? this.retry : 1000
    setTimeout(() => this.#connect(), wait).unref()
  }

  #took({ event, data }: { event?: string; data?: unknown }): void {
    if (event === 'presence') this.take(data as PresenceEvent)
  }
}

const socket = '{"on":"socket"}'
const stream = '{"on":"stream"}'

async function know(peers: readonly Peer[], users: readonly string[], timeout = 20_000): Promise<void> {
  await eventually(`all know ${users}`, () => peers.every(({ known }) => `${known}` === `${users}`), { timeout })
}

async function total({ port }: NodeProcess): Promise<unknown> {
  return (await fetch(`http://127.0.0.1:${port}/total`)).json()
}

async function crowd(t: TestContext, presence: PresenceOptions) {
  const server = await RedisServer.open()
  const all: NodeProcess[] = []
  const start = async () => {
    const node = await startNode(server.url, presence)
    all.push(node)
    return node
  }
  t.after(async () => {
    await Promise.all(all.map(node => end(node, 'SIGKILL')))
    await server.end()
  })
  const nodes: [NodeProcess, NodeProcess, NodeProcess] = await Promise.all([start(), start(), start()])
  const [one, two, three] = nodes
  const peers = [
    new Peer('socket', 'ada'),
    new Peer('stream', 'ada'),
    new Peer('stream', 'bob'),
    new Peer('socket', 'cy'),
    new Peer('stream', 'dan'),
  ] as const
  for (const [n, node] of [one, two, two, three, three].entries()) peers[n]?.connect(t, node)
  await know(peers, [`ada: ${socket} ${stream}`, `bob: ${stream}`, `cy: ${socket}`, `dan: ${stream}`])
  for (const node of nodes) assert.deepEqual(await total(node), { total: 5 })
  return { server, start, nodes, peers }
}

redisTest(
  'a killed node takes its users with it, within two heartbeats, and a frozen one until it goes on',
  async t => {
    const { nodes, peers } = await crowd(t, short)
    const [one, two, three] = nodes
    const [ada, adaToo, bob, cy, dan] = peers
    cy.leave()
    dan.leave()
    await end(three, 'SIGKILL')
    const killedAt = performance.now()
    await know([ada, adaToo, bob], [`ada: ${socket} ${stream}`, `bob: ${stream}`])
    t.diagnostic(
      `gone ${Math.round(performance.now() - killedAt)} ms after the kill, with a heartbeat of ${short.heartbeat}`,
    )
    assert.deepEqual(await total(one), { total: 3 })
    two.child.kill('SIGSTOP')
    await know([ada], [`ada: ${socket}`])
    two.child.kill('SIGCONT')
    await know([ada, adaToo, bob], [`ada: ${socket} ${stream}`, `bob: ${stream}`])
    assert.deepEqual(
      adaToo.seen.filter(seen => seen.startsWith('left')).sort(),
      ['left: cy', 'left: dan'],
      'the frozen node took nobody for gone who was there',
    )
    assert.deepEqual(await total(two), { total: 3 })
  },
)

redisTest('nobody leaves in a rolling restart of all nodes', async t => {
  const { start, nodes, peers } = await crowd(t, long)
  const before = peers.map(({ seen }) => seen.length)
  for (const [n, node] of nodes.entries()) {
    const next = nodes[(n + 1) % nodes.length] as NodeProcess
    for (const peer of peers) if (peer.home === node) peer.home = next
    await end(node, 'SIGTERM')
    nodes[n] = await start()
    await eventually('all are back', async () => ((await total(next)) as { total: number }).total === 5, {
      timeout: 20_000,
    })
  }
  await know(peers, [`ada: ${socket} ${stream}`, `bob: ${stream}`, `cy: ${socket}`, `dan: ${stream}`])
  for (const [n, { seen }] of peers.entries()) {
    const wrong = seen.slice(before[n]).filter(word => /^(left|joined)/.test(word))
    assert.deepEqual(wrong, [], 'nobody has left, or joined')
  }
})

redisTest('a Redis that comes back without its data makes nobody leave', async t => {
  const { server, nodes, peers } = await crowd(t, long)
  const before = peers.map(({ seen }) => seen.length)
  await server.stop()
  await server.run()
  await eventually(
    'all nodes count all',
    async () => {
      const totals = await Promise.all(nodes.map(total))
      return totals.every(counted => (counted as { total: number }).total === 5)
    },
    { timeout: 20_000 },
  )
  const zoe = new Peer('socket', 'zoe')
  zoe.connect(t, nodes[2])
  const all = [`ada: ${socket} ${stream}`, `bob: ${stream}`, `cy: ${socket}`, `dan: ${stream}`, `zoe: ${socket}`]
  await know([...peers, zoe], all)
  for (const [n, { seen }] of peers.entries()) assert.deepEqual(seen.slice(before[n]), ['joined: zoe'])
})
