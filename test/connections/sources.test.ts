/** Everything that a handler may return item by item: it is read to its end, and let go when its peer leaves. */
import assert from 'node:assert/strict'
import { EventEmitter, on } from 'node:events'
import { PassThrough, Readable } from 'node:stream'
import { after, before, describe, test } from 'node:test'
import { Sse } from '../../src/index.js'
import { type Actor, type Script, Stage, StreamActor } from '../support/actors.js'
import { type Served, start } from '../support/app.js'
import { eventually } from '../support/eventually.js'
import { StreamPeer } from '../support/peers.js'

@Sse('/stream/:name')
class Streams extends StreamActor {}

let served: Served
let stage: Stage
before(async () => {
  served = await start([Streams], { providers: [Stage] })
  stage = served.app.get(Stage)
})
after(async () => {
  await served.app.close()
  assert.deepEqual(served.log.messages, Array(failing.length + 3).fill('Streams failed'))
})

let names = 0

async function open(script: Script): Promise<{ peer: StreamPeer; actor: Actor }> {
  const name = `n${++names}`
  stage.scripts.set(name, script)
  const peer = await StreamPeer.open(served.port, `/stream/${name}`)
  return { peer, actor: await stage.actor(name) }
}

/** A source that gives `a` and `b`, then ends; or is silent, and notes when it is let go. */
interface Kind {
  readonly ends: () => unknown
  readonly silent: (letGo: () => void) => unknown
}

function observable(key: string | symbol, subscribe: (to: Observer) => () => void): unknown {
  return { [key]: () => ({ subscribe: (to: Observer) => ({ unsubscribe: subscribe(to) }) }) }
}

interface Observer {
  next(item: unknown): void
  error(error: unknown): void
  complete(): void
}

const nothing = () => {}
const kinds: Record<string, Kind> = {
  'an async generator that hears its signal': {
    async *ends() {
      yield 'a'
      yield 'b'
    },
    silent: letGo =>
      async function* (this: Actor) {
        try {
          yield 'first'
          await new Promise((_, reject) => {
            this.connection.signal.addEventListener('abort', () => reject(this.connection.signal.reason))
          })
        } finally {
          letGo()
        }
      },
  },
  'events of an emitter': {
    async *ends() {
      const emitter = new EventEmitter()
      const events = on(emitter, 'item', { close: ['end'] })
      emitter.emit('item', 'a')
      emitter.emit('item', 'b')
      emitter.emit('end')
      for await (const [item] of events) yield item
    },
    silent: letGo => {
      const emitter = new EventEmitter().on('removeListener', name => name === 'item' && letGo())
      return on(emitter, 'item')
    },
  },
  'a Node stream': {
    ends: () => Readable.from(['a', 'b']),
    silent: letGo => new PassThrough({ objectMode: true }).on('close', letGo),
  },
  'a web stream': {
    ends: () =>
      new ReadableStream({
        start(controller) {
          controller.enqueue('a')
          controller.enqueue('b')
          controller.close()
        },
      }),
    silent: letGo => new ReadableStream({ cancel: letGo }),
  },
  'an observable': {
    ends: () =>
      observable('@@observable', to => {
        to.next('a')
        to.next('b')
        to.complete()
        return nothing
      }),
    silent: letGo => observable('@@observable', () => letGo),
  },
  'an iterator of its own making': {
    ends: () => new Set(['a', 'b']),
    silent: letGo => ({
      [Symbol.asyncIterator]: () => ({
        next: () => new Promise(nothing),
        return: async () => {
          letGo()
          return { done: true, value: undefined }
        },
      }),
    }),
  },
}

describe('a source', () => {
  for (const [what, { ends, silent }] of Object.entries(kinds)) {
    test(`${what} is sent to its end, and then the next handler has its turn`, async () => {
      const { peer, actor } = await open({ info: message => (message === 'go' ? ends() : message) })
      actor.connection.tell('go')
      actor.connection.tell('next')
      await peer.hears('data: next\n\n')
      assert.deepEqual(peer.read().data, ['a', 'b', 'next'])
      peer.raw.destroy()
    })

    test(`${what} that is silent is let go once when its peer leaves`, async () => {
      let gone = 0
      const letGo = () => void gone++
      const { peer, actor } = await open({
        info(_, actor) {
          const source = silent(letGo)
          return typeof source === 'function' ? source.call(actor) : source
        },
      })
      actor.connection.tell('go')
      peer.raw.destroy()
      await eventually('it is let go', () => gone === 1)
      assert.deepEqual(await actor.ended(10_000), { kind: 'peer' })
      assert.equal(gone, 1)
    })
  }
})

const boom = new Error('boom')
const failing: [string, () => unknown][] = [
  ['a Node stream that is destroyed', () => new PassThrough().destroy(boom)],
  ['a web stream that fails', () => new ReadableStream({ start: controller => controller.error(boom) })],
  [
    'an observable that fails',
    () =>
      observable('@@observable', to => {
        to.error(boom)
        return nothing
      }),
  ],
]

describe('a source that fails ends its connection', () => {
  for (const [what, make] of failing) {
    test(what, async () => {
      const { peer, actor } = await open({ info: make })
      actor.connection.tell('go')
      assert.equal((await peer.end()).whole, false)
      assert.deepEqual(await actor.ended(), { kind: 'failed', error: boom })
    })
  }
})

describe('a generator', () => {
  test('that fails once more when it is let go for what it yielded ends its connection, not the process', async () => {
    const unsendable = () => {}
    const { peer, actor } = await open({
      *info() {
        try {
          yield unsendable
        } finally {
          // biome-ignore lint/correctness/noUnsafeFinally: it is what is tested
          throw boom
        }
      },
    })
    actor.connection.tell('go')
    assert.equal((await peer.end()).whole, false)
    const { kind } = await actor.ended()
    assert.equal(kind, 'failed')
  })

  test('that closes its own connection is finished, and fails nobody', async () => {
    let finals = 0
    const { peer, actor } = await open({
      *info(_, { connection }) {
        try {
          yield 'one'
          connection.close()
          yield 'two'
        } finally {
          finals++
        }
      },
    })
    actor.connection.tell('go')
    const { data, whole } = await peer.end()
    assert.deepEqual({ data, whole }, { data: ['one'], whole: true })
    assert.deepEqual(await actor.ended(), { kind: 'stopped' })
    assert.equal(finals, 1)
  })

  test('whose finally fails while its peer leaves does not keep the connection from ending', async () => {
    const { peer, actor } = await open({
      info: () => ({
        [Symbol.asyncIterator]: () => ({
          next: () => new Promise(nothing),
          return() {
            throw new Error('not even that')
          },
        }),
      }),
    })
    actor.connection.tell('go')
    peer.raw.destroy()
    assert.deepEqual(await actor.ended(10_000), { kind: 'peer' })
    await eventually('it is counted no more', () => served.app.connections === 0)
  })

  test('an observable that outruns its peer fails with a RangeError, and is let go', async () => {
    let gone = 0
    const { peer, actor } = await open({
      info: () =>
        observable('@@observable', to => {
          const pushing = setImmediate(() => {
            for (let count = 0; count < 2000; count++) to.next('x')
          })
          return () => {
            clearImmediate(pushing)
            gone++
          }
        }),
      close: reason => assert.ok(reason.kind === 'failed' && reason.error instanceof RangeError),
    })
    peer.raw.pause()
    actor.connection.tell('go')
    await eventually('it is let go', () => gone === 1)
    peer.raw.resume()
    assert.equal((await actor.ended(10_000)).kind, 'failed')
  })
})
