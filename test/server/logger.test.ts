import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ConnectionRegistry, Controller, Get, Registry, type Socket, WebSocket } from '../../src/index.js'
import { serve } from '../support/apps.js'
import { eventually } from '../support/eventually.js'
import { SocketPeer } from '../support/peers.js'
import { send } from '../support/send.js'

test('a logger that throws ends nothing: what it could not say is on standard error', async t => {
  @Registry('rooms')
  class Rooms extends ConnectionRegistry<{ said: number }> {
    protected override joined() {
      throw new Error('a hook')
    }
  }

  @Controller('/fails')
  class Failing {
    @Get('/')
    get() {
      throw new Error('a handler')
    }
  }

  @WebSocket('/rooms')
  class Member {
    constructor(private readonly rooms: Rooms) {}
    open(socket: Socket) {
      return this.rooms.join(socket, 'all')
    }
  }

  const { mock } = t.mock.method(console, 'error', () => {})
  const fails = () => {
    throw new Error('no space left')
  }
  const logger = { debug: fails, info: fails, warn: fails, error: fails }
  const app = await serve(t, { controllers: [Failing, Member], providers: [Rooms] }, { logger })
  for (let again = 0; again < 2; again++) assert.equal((await send(app.port, 'GET /fails')).status, 500)
  const peer = await SocketPeer.open(app.port, '/rooms')
  await eventually('it is here', () => app.get(Rooms).count('all') === 1)
  await app.get(Rooms).to('all').send('said', 1)
  await eventually('it hears', () => peer.messages.some(text => text.includes('"data":1')))
  const said = mock.calls.map(({ arguments: [message, details] }) => `${message}: ${details}`)
  assert.deepEqual(said, [
    'GET Failing.get failed: Error: a handler',
    'the logger failed: Error: no space left',
    'GET Failing.get failed: Error: a handler',
    'the logger failed: Error: no space left',
    'Rooms: a hook failed: Error: a hook',
    'the logger failed: Error: no space left',
  ])
})
