import assert from 'node:assert/strict'
import { describe, type TestContext, test } from 'node:test'
import { z } from 'zod'
import {
  type Class,
  type CloseReason,
  type Context,
  ContextKey,
  Ctx,
  conflict,
  Data,
  Guard,
  Header,
  HttpError,
  Intercept,
  int,
  MapError,
  MessageContext,
  On,
  Param,
  reply,
  Socket,
  stop,
  unauthorized,
  WebSocket,
} from '../../src/index.js'
import { serve } from '../support/app.js'
import { WebSocketPeer } from '../support/websocket-peer.js'

async function talk(t: TestContext, socket: Class, path = '/', fields: Record<string, string> = {}) {
  const { port, log } = await serve(t, [socket])
  const peer = await WebSocketPeer.open(port, path, { fields })
  t.after(() => peer.raw.destroy())
  const say = (message: unknown) => peer.send('text', typeof message === 'string' ? message : JSON.stringify(message))
  /** Asks for an acknowledgement, and answers it. */
  const ask = async (event: string, data?: unknown, ack: string | number = 1) => {
    await say({ event, data, ack })
    const answer = (await peer.readJson()) as {
      ack: unknown
      data?: unknown
      error?: { status: number; detail?: string }
    }
    assert.equal(answer.ack, ack)
    return answer
  }
  return { peer, log, say, ask }
}

const answers = {
  value: () => ({ a: 1 }),
  nothing: () => undefined,
  list: () => [1, 2],
  promised: async () => 'later',
  replied: () => reply({ b: 2 }, { status: 201 }),
}

@WebSocket('/')
class Answers {
  @On('value') value() {
    return answers.value()
  }
  @On('nothing') nothing() {
    return answers.nothing()
  }
  @On('list') list() {
    return answers.list()
  }
  @On('promised') promised() {
    return answers.promised()
  }
  @On('replied') replied() {
    return answers.replied()
  }
  @On('echo') echo(@Data() data: unknown) {
    return data
  }
}

describe('an acknowledgement', () => {
  test('carries what the handler returned, under the name that the peer gave it', async t => {
    const { ask } = await talk(t, Answers)
    assert.deepEqual(await ask('value', undefined, 'x'), { ack: 'x', data: { a: 1 } })
    assert.deepEqual(await ask('nothing', undefined, 0), { ack: 0, data: null })
    assert.deepEqual(await ask('list'), { ack: 1, data: [1, 2] })
    assert.deepEqual(await ask('promised', undefined, ''), { ack: '', data: 'later' })
    assert.deepEqual(await ask('replied'), { ack: 1, data: { b: 2 } })
    assert.deepEqual(await ask('echo', { deep: [null, 'é'] }), { ack: 1, data: { deep: [null, 'é'] } })
  })

  test('is sent only where it was asked for', async t => {
    const { say, ask } = await talk(t, Answers)
    await say({ event: 'value' })
    await say({ event: 'value', ack: null })
    await say({ event: 'value', ack: { not: 'a name' } })
    assert.deepEqual(await ask('value', undefined, 7), { ack: 7, data: { a: 1 } })
  })

  test('is sent in the order of the messages, though the first handler takes longer', async t => {
    const { say, peer } = await talk(t, Answers)
    await say({ event: 'promised', ack: 1 })
    await say({ event: 'value', ack: 2 })
    assert.deepEqual(
      [await peer.readJson(), await peer.readJson()],
      [
        { ack: 1, data: 'later' },
        { ack: 2, data: { a: 1 } },
      ],
    )
  })
})

class Taken extends Error {}

@WebSocket('/')
@MapError(Taken, () => conflict('taken'))
class Failing {
  @On('typed', z.object({ slide: z.int() })) typed(@Data() data: { slide: number }) {
    return data.slide + 1
  }
  @On('refused') refused() {
    throw new HttpError(410, 'gone', { extensions: { since: 'noon' } })
  }
  @On('returned') returned() {
    return new HttpError(410)
  }
  @On('mapped') mapped() {
    throw new Taken()
  }
  @On('broken') async broken() {
    throw new Error('the password is 1234')
  }
  @On('cyclic') cyclic() {
    const cycle: Record<string, unknown> = {}
    cycle.self = cycle
    return cycle
  }
  @On('function') function() {
    return () => {}
  }
  @On('iterable') async *iterable() {
    yield 1
  }
  @On('generator') *generator() {
    yield 1
  }
  @On('output', undefined, { output: z.object({ a: z.int().transform(a => a + 1) }) }) output(@Data() data: unknown) {
    return data
  }
}

describe('an error', () => {
  test('of validation is 422, with what was wrong and where, and the handler does not run', async t => {
    const { ask } = await talk(t, Failing)
    assert.deepEqual(await ask('typed', { slide: 1 }), { ack: 1, data: 2 })
    const { error } = await ask('typed', { slide: 'one' })
    assert.equal(error?.status, 422)
    const [issue] = (error as unknown as { issues: { in: string; path: string[] }[] }).issues
    assert.deepEqual([issue?.in, issue?.path], ['data', ['slide']])
  })

  test('that speaks to the peer is told with its status, its text and its extensions', async t => {
    const { ask } = await talk(t, Failing)
    const gone = { type: 'about:blank', title: 'Gone', status: 410 }
    assert.deepEqual((await ask('refused')).error, { ...gone, detail: 'gone', since: 'noon' })
    assert.deepEqual((await ask('returned')).error, gone)
    assert.equal((await ask('mapped')).error?.detail, 'taken')
  })

  test('of any other kind is 500 without detail, and logged; the socket lives on', async t => {
    const { ask, log } = await talk(t, Failing)
    const internal = { type: 'about:blank', title: 'Internal Server Error', status: 500 }
    for (const event of ['broken', 'cyclic', 'function', 'iterable', 'generator'])
      assert.deepEqual((await ask(event)).error, internal)
    assert.deepEqual(await ask('output', { a: 1 }), { ack: 1, data: { a: 2 } })
    assert.deepEqual((await ask('output', { a: 'x' })).error, internal)
    assert.deepEqual(
      log.messages,
      ['broken', 'cyclic', 'function', 'iterable', 'generator', 'output'].map(name => `Failing.${name} failed`),
    )
    assert.match(String(log.errors[0]?.details), /the password is 1234/)
  })

  test('that nobody asked for is told as the event error', async t => {
    const { say, peer } = await talk(t, Failing)
    await say({ event: 'refused' })
    const problem = { type: 'about:blank', title: 'Gone', status: 410, detail: 'gone', since: 'noon' }
    assert.deepEqual(await peer.readJson(), { event: 'error', data: problem })
  })

  test('is what a message hears that no handler takes: an unknown event, no JSON, no envelope, bytes', async t => {
    const { say, ask, peer } = await talk(t, Failing)
    assert.equal((await ask('unknown')).error?.status, 404)
    for (const message of [
      '{',
      'text',
      '""',
      'null',
      '[]',
      '{"event":1}',
      '{"no":"event"}',
      '{"__proto__":{"event":"typed"}}',
      `${'['.repeat(500)}`,
    ]) {
      await say(message)
      const { event, data } = (await peer.readJson()) as { event: string; data: { status: number } }
      assert.deepEqual([event, data.status], ['error', 400], message.slice(0, 40))
    }
    for (const inherited of ['constructor', 'toString', '__proto__'])
      assert.equal((await ask(inherited)).error?.status, 404)
    await peer.send('binary', JSON.stringify({ event: 'typed' }))
    const { data } = (await peer.readJson()) as { data: { status: number } }
    assert.equal(data.status, 415)
  })
})

describe('message beside @On', () => {
  test('takes what the events do not: other events, other texts, bytes', async t => {
    @WebSocket('/')
    class Both {
      @On('named') named() {
        return 'named'
      }
      message(message: string | Buffer) {
        return `raw ${message}`
      }
    }
    const { say, ask, peer } = await talk(t, Both)
    assert.deepEqual(await ask('named'), { ack: 1, data: 'named' })
    for (const text of ['plain', '{"event":"other"}', '[1]']) {
      await say(text)
      assert.equal(await peer.readText(), `raw ${text}`)
    }
    await peer.send('binary', 'bytes')
    assert.equal(await peer.readText(), 'raw bytes')
  })
})

const name = new ContextKey<string>('name')
const count = new ContextKey<number>('count')
const log: string[] = []

const logged = (label: string) => async (context: Context, next: () => Promise<unknown>) => {
  if (!(context instanceof MessageContext)) return next()
  log.push(`${label} ${context.event}`)
  return { [label]: await next() }
}

@WebSocket('/rooms/:room')
@Guard(context => {
  context.set(name, 'Ada')
  return true
})
@Intercept(logged('outer'))
class Surrounded {
  @On('guarded', z.object({ token: z.string().optional() }))
  @Guard(context => {
    log.push('guard')
    const { token } = (context as MessageContext).data as { token?: unknown }
    return token === 'right' || unauthorized()
  })
  @Intercept(logged('inner'))
  guarded() {
    return 'in'
  }
  @On('all')
  all(
    @Param('room', int()) room: number,
    @Header('X-Kept') kept: string,
    @Ctx() context: MessageContext,
    socket: Socket,
    signal: AbortSignal,
  ) {
    context.set(count, (context.get(count) ?? 0) + 1)
    return {
      room,
      kept,
      name: context.get(name),
      count: socket.get(count),
      same: signal === socket.signal,
      path: context.path,
    }
  }
}

describe('the pipeline of a message', () => {
  test('guards come before the data is validated, then interceptors, the outermost first', async t => {
    const { ask } = await talk(t, Surrounded, '/rooms/7')
    log.length = 0
    assert.equal((await ask('guarded', { token: 1 })).error?.status, 401)
    assert.deepEqual((await ask('guarded', { token: 'right' })).data, { outer: { inner: 'in' } })
    assert.deepEqual(log, ['guard', 'guard', 'outer guarded', 'inner guarded'])
  })

  test("B23: a handler is given params, header fields, its context, and what the opening's guards and earlier messages left", async t => {
    const { ask } = await talk(t, Surrounded, '/rooms/7?a=1', { 'X-Kept': 'yes' })
    const expected = { room: 7, kept: 'yes', name: 'Ada', same: true, path: '/rooms/7' }
    assert.deepEqual((await ask('all')).data, { outer: { ...expected, count: 1 } })
    assert.deepEqual((await ask('all')).data, { outer: { ...expected, count: 2 } })
  })

  test('stop() from an event ends the socket, behind the answers before it', async t => {
    const ended: CloseReason[] = []
    @WebSocket('/')
    class Stopping {
      @On('hello') hello() {
        return 'hi'
      }
      @On('bye') bye() {
        return stop({ code: 4001 })
      }
      close(reason: CloseReason) {
        ended.push(reason)
      }
    }
    const { say, peer } = await talk(t, Stopping)
    for (const event of ['hello', 'bye', 'hello']) await say({ event, ack: 1 })
    assert.deepEqual(await peer.readJson(), { ack: 1, data: 'hi' })
    assert.equal((await peer.agree()).code, 4001)
    assert.deepEqual(ended, [{ kind: 'stopped', code: 4001 }])
  })
})
