import assert from 'node:assert/strict'
import { once } from 'node:events'
import { describe, test } from 'node:test'
import {
  Body,
  type CloseReason,
  ConnectionRegistry,
  Controller,
  Data,
  EventStream,
  event,
  forbidden,
  Guard,
  type HttpError,
  On,
  Param,
  Query,
  Registry,
  Socket,
  Sse,
  stop,
  WebSocket,
} from '../../src/index.js'
import { openEvents, openSocket } from '../../src/testing/index.js'
import { serveSuite } from '../support/serve.js'

@Registry('rooms')
class Rooms extends ConnectionRegistry<{ said: string; left: null }> {}

const reasons: string[] = []

@Sse('/rooms/:room')
class Listener {
  constructor(private readonly rooms: Rooms) {}

  open(stream: EventStream, @Param('room') room: string) {
    return this.rooms.join(stream, room)
  }

  close({ kind }: CloseReason) {
    reasons.push(kind)
  }
}

@WebSocket('/rooms/:room', { protocols: ['chat'] })
@Guard(context => context.query.banned === undefined || forbidden('you are banned'))
class Speaker {
  constructor(
    private readonly rooms: Rooms,
    private readonly socket: Socket<'room'>,
  ) {}

  open() {
    return this.rooms.join(this.socket, this.socket.params.room)
  }

  @On('say')
  async say(@Data() text: string) {
    if (text === '') throw forbidden('say something')
    return { id: await this.rooms.to(this.socket.params.room).send('said', text) }
  }

  @On('wait')
  wait(signal: AbortSignal) {
    return once(signal, 'abort')
  }

  message(frame: string | Buffer) {
    return frame.length === 0 ? stop({ code: 4000, text: 'nothing' }) : frame
  }

  close({ kind }: CloseReason) {
    reasons.push(kind)
  }
}

@Controller('/tokens')
class Tokens {
  @Sse('/', { method: 'POST' })
  async *tokens(@Body() { prompt }: { prompt: string }, @Query('fail') fail?: string) {
    yield* prompt.split(' ')
    yield { event: 'lines', data: 'one\ntwo' }
    if (fail !== undefined) throw new Error('on purpose')
  }
}

@Controller('/blanks')
class Blanks {
  @Sse('/')
  async *blanks() {
    yield ''
    yield { event: 'blank' }
    yield event({ id: '7' })
    yield { event: 'blank', data: '' }
  }
}

describe('the peers of palomino/testing', () => {
  const served = serveSuite({ controllers: [Listener, Speaker, Tokens, Blanks], providers: [Rooms] })
  const rooms = () => served.app.get(Rooms)

  test('a stream is read event by event, by name, and resumed where it was left', async () => {
    const peer = await openEvents(served.app, '/rooms/a')
    await rooms().to('a').send('left')
    await rooms().to('a').send('said', 'one')
    const said = await peer.next('said')
    assert.deepEqual({ ...said, id: undefined }, { event: 'said', data: 'one', id: undefined })
    assert.equal(said.id, peer.lastEventId)
    await peer.close()
    await rooms().to('a').send('said', 'while away')
    await using back = await openEvents(served.app, '/rooms/a', { lastEventId: peer.lastEventId })
    assert.equal((await back.next()).data, 'while away')
    assert.ok(reasons.includes('peer') || reasons.includes('lost'), String(reasons))
  })

  test('a stream that is posted to ends whole, and is cut where it fails', async () => {
    const whole = await openEvents(served.app, '/tokens', { body: { prompt: 'a b' } })
    assert.deepEqual([(await whole.next()).data, (await whole.next()).data], ['a', 'b'])
    assert.deepEqual(await whole.next(), { event: 'lines', data: 'one\ntwo', id: undefined })
    assert.equal(await whole.ended, 'whole')
    const cut = await openEvents(served.app, '/tokens?fail=1', { body: { prompt: 'a' } })
    assert.deepEqual((await cut.next('error')).data, { title: 'Internal Server Error', status: 500 })
    assert.equal(await cut.ended, 'cut')
    const head = await openEvents(served.app, '/rooms/a', { method: 'HEAD' })
    assert.equal(await head.ended, 'whole')
  })

  test('an event whose data is empty is one, as in a browser, and one that has but an id is none', async () => {
    await using peer = await openEvents(served.app, '/blanks')
    const heard = [await peer.next(), await peer.next(), await peer.next()]
    assert.deepEqual(
      heard.map(({ event, data }) => [event, data]),
      [
        [undefined, ''],
        ['blank', ''],
        ['blank', ''],
      ],
    )
    await assert.rejects(peer.next(), /ended before it came/)
    assert.equal(peer.lastEventId, '7')
  })

  test('what does not come is told with what came instead', async () => {
    await using peer = await openEvents(served.app, '/rooms/b', { patience: 200 })
    await rooms().to('b').send('left')
    await assert.rejects(peer.next('said'), {
      message: 'the stream of /rooms/b waited for the event said: it did not come within 200 ms; left came instead',
    })
    const ending = await openEvents(served.app, '/tokens', { body: { prompt: 'a' } })
    await assert.rejects(ending.next('never'), {
      message:
        'the stream of /tokens waited for the event never: the stream ended before it came; one without a name, lines came instead',
    })
  })

  test('a refusal is told with its status and its text', async () => {
    await assert.rejects(openEvents(served.app, '/tokens'), /^Error: GET \/tokens answered 405, no event stream: \{/)
    await assert.rejects(openSocket(served.app, '/rooms/a?banned=1'), {
      message: /^the socket of \/rooms\/a\?banned=1 was refused: 403 \{.*you are banned/,
    })
    await assert.rejects(openSocket({ url: undefined }, '/'), /the application has no url/)
  })

  test('a socket asks, hears, is refused, resumes, and is closed', async () => {
    const peer = await openSocket(served.app, '/rooms/c', { protocols: ['chat'] })
    assert.equal(peer.protocol, 'chat')
    const answer = (await peer.ask('say', 'hello')) as { id: string }
    assert.deepEqual(await peer.next('said'), { event: 'said', data: 'hello', id: answer.id })
    await assert.rejects(peer.ask('say', ''), (error: HttpError) => {
      assert.deepEqual([error.name, error.status, error.message], ['HttpError', 403, 'say something'])
      return true
    })
    peer.send(Buffer.from([1]))
    assert.deepEqual((await peer.next()).data, Buffer.from([1]))
    await peer.vanish()
    assert.equal((await peer.closed).code, 1006)
    await rooms().to('c').send('said', 'while away')
    await using back = await openSocket(served.app, '/rooms/c', { lastEventId: peer.lastEventId })
    assert.equal((await back.next()).data, 'while away')
    back.send(Buffer.alloc(0))
    assert.deepEqual(await back.closed, { code: 4000, text: 'nothing' })
    await assert.rejects(back.next(), /the socket was closed \(4000\) before it came; nothing came instead/)
  })

  test('two that wait at once get one each, in the order in which they asked', async () => {
    await using peer = await openEvents(served.app, '/rooms/e')
    const both = Promise.all([peer.next(), peer.next('said'), peer.next()])
    await rooms().to('e').send('said', 'one')
    await rooms().to('e').send('left')
    await rooms().to('e').send('said', 'two')
    await rooms().to('e').send('said', 'three')
    assert.deepEqual(
      (await both).map(({ data }) => data),
      ['one', 'two', 'three'],
    )
  })

  test('an answer that does not come in time, or cannot come any more, is told', async () => {
    const peer = await openSocket(served.app, '/rooms/f', { patience: 200 })
    await assert.rejects(peer.ask('wait'), {
      message: 'the socket of /rooms/f: wait was not answered within 200 ms',
    })
    await peer.close()
    await assert.rejects(peer.ask('say', 'hello'), { message: 'the socket was closed (1000) before say was asked' })
  })

  test('what waits for an answer hears that the socket was closed', async () => {
    const peer = await openSocket(served.app, '/rooms/d')
    const refused = assert.rejects(peer.ask('wait'), /the socket was closed \(1006\) unanswered/)
    await peer.vanish()
    await refused
  })
})
