/** Registries from end to end: event streams and sockets in the same rooms, over real connections. */
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import {
  type Connection,
  ConnectionRegistry,
  type EventStream,
  Injectable,
  MemoryEventLog,
  Registry,
  type Socket,
  Sse,
  WebSocket,
} from '../../src/index.js'
import { type Served, start } from '../support/app.js'
import { eventually } from '../support/eventually.js'
import { SocketPeer, StreamPeer } from '../support/peers.js'

@Registry('decks', { history: { count: 50 } })
class Decks extends ConnectionRegistry<{ goto: { slide: number }; blank: null; here: string[] }> {
  readonly log: string[] = []
  protected override joined({ params }: Connection, room: string): void {
    this.log.push(`${params.kind} joined ${room}`)
  }
  protected override left({ params }: Connection, room: string): void {
    this.log.push(`${params.kind} left ${room}`)
  }
}

@Injectable()
abstract class Audience {
  constructor(protected readonly decks: Decks) {}
  async open(connection: Connection) {
    const { deck = '' } = connection.params
    await this.decks.join(connection, deck)
    await this.decks.to(deck).send('here', [deck])
    return { event: 'welcome', data: deck }
  }
  info(message: unknown) {
    return { event: 'info', data: [message] }
  }
}

@Sse('/:kind/:deck')
class StreamAudience extends Audience {
  override open(stream: EventStream) {
    return super.open(stream)
  }
}

@WebSocket('/:kind/:deck')
class SocketAudience extends Audience {
  override open(socket: Socket) {
    return super.open(socket)
  }
}

interface Heard {
  readonly event?: string
  readonly data?: unknown
  readonly id?: string
}

/** A peer of either transport, and what it heard. */
interface Peer {
  heard(): Heard[]
  leave(): void
  readonly end: Promise<unknown>
}

type Open = (port: number, deck: string, resume?: { header?: string; query?: string }) => Promise<Peer>

const headers = (id: string | undefined): Record<string, string> => (id === undefined ? {} : { 'Last-Event-ID': id })
const query = (id: string | undefined) => (id === undefined ? '' : `?lastEventId=${encodeURIComponent(id)}`)

const openStream: Open = async (port, deck, resume = {}) => {
  const peer = await StreamPeer.open(port, `/stream/${deck}${query(resume.query)}`, headers(resume.header))
  return { heard: () => readEvents(peer.read().text), leave: () => peer.raw.destroy(), end: peer.end() }
}

const openSocket: Open = async (port, deck, resume = {}) => {
  const peer = await SocketPeer.open(port, `/socket/${deck}${query(resume.query)}`, headers(resume.header))
  return { heard: () => peer.messages.map(text => JSON.parse(text)), leave: () => peer.reset(), end: peer.closed }
}

function readEvents(text: string): Heard[] {
  return text
    .split('\n\n')
    .filter(block => block !== '' && !block.startsWith(':'))
    .map(block => {
      const fields = Object.fromEntries(block.split('\n').map(line => line.split(/: ?(.*)/s, 2) as [string, string]))
      return !fields.data || fields.event === 'welcome' ? fields : { ...fields, data: JSON.parse(fields.data) }
    })
}

const transports: [string, Open][] = [
  ['stream', openStream],
  ['socket', openSocket],
]

function hears(peer: Peer, event: string, times = 1): Promise<Heard[]> {
  return eventually(`${event} comes`, () => {
    const found = peer.heard().filter(each => each.event === event)
    return found.length >= times ? found : undefined
  })
}

describe('a registry, end to end', () => {
  let served: Served
  let decks: Decks
  before(async () => {
    served = await start([StreamAudience, SocketAudience], { providers: [Decks] })
    decks = served.app.get(Decks)
  })
  after(() => served.app.close({ deadline: 0 }))

  test('streams and sockets of one room hear the same event, under the same id', async () => {
    const peers = await Promise.all(transports.map(([, open]) => open(served.port, 'mixed')))
    await eventually('both are here', () => decks.count('mixed') === 2)
    const id = await decks.to('mixed').send('goto', { slide: 7 })
    await decks.to('mixed').send('blank')
    for (const peer of peers) {
      assert.deepEqual(await hears(peer, 'goto'), [{ event: 'goto', data: { slide: 7 }, id }])
      assert.equal((await hears(peer, 'blank'))[0]?.data, null)
      peer.leave()
    }
    await eventually('both have left', () => decks.count('mixed') === 0)
    assert.deepEqual(decks.log.filter(line => line.endsWith('mixed')).sort(), [
      'socket joined mixed',
      'socket left mixed',
      'stream joined mixed',
      'stream left mixed',
    ])
  })

  for (const [kind, open] of transports) {
    test(`P25, P37: what open returns goes before what was published while it ran (${kind})`, async () => {
      const peer = await open(served.port, `first-${kind}`)
      await hears(peer, 'here')
      assert.deepEqual(
        peer.heard().map(each => each.event),
        ['welcome', 'here'],
      )
      peer.leave()
    })

    for (const by of ['header', 'query'] as const) {
      test(`a ${kind} that comes back with its last event id in the ${by} gets what it missed, once`, async () => {
        const deck = `${kind}-${by}`
        const first = await open(served.port, deck)
        await hears(first, 'here')
        await decks.to(deck).send('goto', { slide: 1 })
        const [seen] = await hears(first, 'goto')
        first.leave()
        await eventually('it has left', () => decks.count(deck) === 0)
        await decks.to(deck).send('goto', { slide: 2 })
        await decks.to(['elsewhere', deck]).send('goto', { slide: 3 })
        await decks.broadcast('goto', { slide: 4 })
        const back = await open(served.port, deck, { [by]: seen?.id })
        await decks.to(deck).send('goto', { slide: 5 })
        const got = await hears(back, 'goto', 4)
        assert.deepEqual(
          got.map(each => each.data),
          [2, 3, 4, 5].map(slide => ({ slide })),
        )
        assert.equal(back.heard().filter(each => each.event === 'gap').length, 0)
        back.leave()
      })
    }

    test(`a ${kind} with an id that this log does not know gets one gap, without an id`, async () => {
      const peer = await open(served.port, `gap-${kind}`, { query: '42' })
      assert.deepEqual(await hears(peer, 'gap'), [
        { event: 'gap', data: { registry: 'decks', rooms: [`gap-${kind}`] } },
      ])
      await hears(peer, 'here')
      assert.equal((await hears(peer, 'gap')).length, 1)
      peer.leave()
    })

    test(`tell reaches the info of a ${kind}, and what that returns is sent`, async () => {
      const peer = await open(served.port, `told-${kind}`)
      await hears(peer, 'here')
      await decks.tell(`told-${kind}`, 'psst')
      assert.equal((await hears(peer, 'info')).length, 1)
      peer.leave()
    })
  }

  test('the header is believed before the query, as an EventSource that comes back has both', async () => {
    const first = await openStream(served.port, 'both')
    const [{ id: old } = {}] = await hears(first, 'here')
    await decks.to('both').send('goto', { slide: 1 })
    const [{ id } = {}] = await hears(first, 'goto')
    first.leave()
    const back = await openStream(served.port, 'both', { header: id ?? '', query: old ?? '' })
    await hears(back, 'here')
    assert.deepEqual(
      back.heard().filter(each => each.event === 'goto'),
      [],
    )
    back.leave()
  })

  test('disconnect ends a room: a stream with its final chunk, a socket with the code', async () => {
    const [stream, socket] = await Promise.all([openStream(served.port, 'over'), openSocket(served.port, 'over')])
    await hears(stream, 'here')
    await hears(socket, 'here')
    await decks.disconnect('over', { code: 4001, text: 'over' })
    assert.deepEqual(await socket.end, { code: 4001, text: 'over' })
    assert.equal(((await stream.end) as { whole: boolean }).whole, true)
    assert.equal(decks.count('over'), 0)
  })

  test('nobody is left, and nothing was logged', async () => {
    await eventually('all have left', () => decks.size === 0 && served.app.connections === 0)
    assert.deepEqual(served.log.messages, [])
  })
})

test('an application brings its own event log', async () => {
  const opened: unknown[] = []
  const { app } = await start([StreamAudience], {
    providers: [Decks],
    eventLog: (name, retention) => {
      opened.push([name, retention])
      return new MemoryEventLog(retention)
    },
  })
  assert.deepEqual(opened, [['decks', { count: 50, bytes: 1_048_576, age: 300_000 }]])
  await app.close({ deadline: 0 })
})

test('what a registry is to remember is as it would be, where it is undefined', async () => {
  @Registry('notes', { history: { count: undefined, bytes: 5000 } as never })
  class Notes extends ConnectionRegistry {}
  const opened: unknown[] = []
  const { app } = await start([], {
    providers: [Notes],
    eventLog: (_name, retention) => {
      opened.push(retention)
      return new MemoryEventLog(retention)
    },
  })
  assert.deepEqual(opened, [{ count: 100, bytes: 5000, age: 300_000 }])
  await app.close({ deadline: 0 })
})
