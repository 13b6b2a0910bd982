import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ConnectionRegistry, EventStream, type Middleware, Registry, Socket, Sse, WebSocket } from '../../src/index.js'
import { ask } from '../sse/app.js'
import { serve } from '../support/app.js'
import { eventually } from '../support/eventually.js'
import { collectGarbage } from '../support/garbage.js'
import { RawPeer } from '../support/raw-peer.js'
import { handshake } from '../support/websocket-peer.js'

@Registry('all')
class All extends ConnectionRegistry {}

@Sse('/stream')
class Stream {
  constructor(private readonly all: All) {}
  open(stream: EventStream) {
    note('stream', stream)
    stream.every(60_000, 'tick')
    return this.all.join(stream, ['room', 'other'], { user: 'ann' })
  }
  info() {}
}

@WebSocket('/socket')
class Peer {
  constructor(
    private readonly all: All,
    private readonly socket: Socket,
  ) {}
  async open() {
    note('socket', this.socket)
    await this.all.join(this.socket, 'room', { user: 'ben', watch: true })
    this.socket.signal.addEventListener('abort', () => {})
  }
}

/** What the server has made for its peers: each is to go. */
const made: { readonly what: string; readonly ref: WeakRef<object> }[] = []

function note(what: string, object: object): void {
  made.push({ what, ref: new WeakRef(object) })
}

function left(): string[] {
  collectGarbage()
  return made.filter(({ ref }) => ref.deref() !== undefined).map(({ what }) => what)
}

const ways = ['end', 'reset', 'disconnect'] as const

/** Ten of each kind come, hear of an event, and leave each in its way. */
async function comeAndGo(port: number, all: All): Promise<void> {
  const peers: RawPeer[] = []
  for (let each = 0; each < 10; each++) {
    peers.push((await ask(port, '/stream')).peer)
    const peer = await RawPeer.connect(port)
    await peer.write(handshake('/socket'))
    peers.push(peer)
  }
  await eventually('all have joined', () => all.count('room') === peers.length)
  await all.to('room').send('said', { by: 'ann' })
  await Promise.all(peers.map(peer => peer.readUntil('"by"')))
  for (const [index, peer] of peers.entries()) {
    const way = ways[(index >> 1) % ways.length]
    if (way === 'end') peer.end()
    else if (way === 'reset') peer.reset()
  }
  await all.disconnect('room')
  for (const peer of peers) peer.destroy()
  await Promise.all(peers.map(peer => peer.closed))
}

test('when all have left, nothing that was made for them can be reached', async t => {
  const watch: Middleware = (request, response, next) => {
    note('request', request)
    note('response', response)
    note('lane', request.socket)
    next()
  }
  const { app, port } = await serve(t, [Stream, Peer], { providers: [All], use: [watch] })
  await comeAndGo(port, app.get(All))
  await eventually('none is left', () => app.connections === 0)
  assert.equal(made.length, 80)
  await eventually('all is collected', () => {
    assert.deepEqual(left(), [])
    return true
  })
})
