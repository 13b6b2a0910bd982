import assert from 'node:assert/strict'
import { once } from 'node:events'
import { type TestContext, test } from 'node:test'
import { WebSocket as Client } from 'ws'
import { bootstrap, type Connection, ConnectionRegistry, Module, Registry, Socket, WebSocket } from '../../src/index.js'
import { eventually } from '../support/eventually.js'

@Registry('remembering')
class Remembering extends ConnectionRegistry<{ said: string }> {
  protected override async joined(_: Connection, room: string) {
    if (room === 'sore') throw new Error('the hook rejected')
  }
}

@Registry('forgetting', { history: false })
class Forgetting extends ConnectionRegistry<{ said: string }> {}

@WebSocket('/:room')
class Member {
  constructor(
    private readonly socket: Socket<'room'>,
    private readonly remembering: Remembering,
    private readonly forgetting: Forgetting,
  ) {}

  async open() {
    await this.forgetting.join(this.socket, this.socket.params.room)
    await this.remembering.join(this.socket, this.socket.params.room)
    return { id: this.socket.id }
  }

  info(message: unknown) {
    return message
  }
}

@Module({ controllers: [Member], providers: [Remembering, Forgetting] })
class App {}

async function serve(t: TestContext) {
  const errors: unknown[] = []
  const silent = () => {}
  const logger = { debug: silent, info: silent, warn: silent, error: (_: string, error: unknown) => errors.push(error) }
  const app = await bootstrap(App, { port: 0, logger })
  t.after(() => app.close({ deadline: 0 }))
  const open = async (room: string) => {
    const client = new Client(`ws://127.0.0.1:${app.port}/${room}`)
    const heard: { id?: string; event?: string }[] = []
    client.on('message', data => heard.push(JSON.parse(String(data))))
    await once(client, 'message')
    return { client, heard, id: heard[0]?.id ?? '' }
  }
  return { app, open, errors }
}

test('tell and disconnect reach a room, or one connection by its id', async t => {
  const { app, open } = await serve(t)
  const [one, two] = [await open('a'), await open('a')]
  const registry = app.get(Forgetting)
  await registry.tell(two.id, { to: 'two' })
  await registry.tell(['a', two.id], { to: 'all, once' })
  await registry.tell('nobody', { to: 'nobody' })
  await registry.tell('a', { to: 'the end' })
  const told = (heard: object[]) => heard.filter(message => 'to' in message)
  const ended = (heard: object[]) => heard.some(message => 'to' in message && message.to === 'the end')
  await eventually('both have heard', () => ended(one.heard) && ended(two.heard))
  assert.deepEqual(told(one.heard), [{ to: 'all, once' }, { to: 'the end' }])
  assert.deepEqual(told(two.heard), [{ to: 'two' }, { to: 'all, once' }, { to: 'the end' }])
  await registry.disconnect(one.id)
  assert.deepEqual((await once(one.client, 'close'))[0], 1008)
  assert.equal(registry.count('a'), 1)
})

test('ids speak of registries that remember, and of no others', async t => {
  const { app, open } = await serve(t)
  const { heard } = await open('ids')
  const id = await app.get(Remembering).to('ids').send('said', 'hello')
  await eventually('it is heard', () => heard.some(message => message.event === 'said'))
  assert.deepEqual(
    heard.filter(message => message.event === 'said'),
    [{ event: 'said', data: 'hello', id }],
  )
  assert.match(id ?? '', /^[0-9a-f]+-1$/)
})

test('a hook that rejects is logged, and the connection lives', async t => {
  const { app, open, errors } = await serve(t)
  const { heard } = await open('sore')
  await app.get(Remembering).to('sore').send('said', 'hello')
  await eventually('it is heard', () => heard.some(message => message.event === 'said'))
  assert.deepEqual(errors.map(String), ['Error: the hook rejected'])
})
