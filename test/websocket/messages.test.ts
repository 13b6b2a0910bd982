import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import { type CloseReason, type Socket, stop, WebSocket } from '../../src/index.js'
import { serve } from '../support/app.js'
import { eventually } from '../support/eventually.js'
import { closing, frame, opcodes, WebSocketPeer } from '../support/websocket-peer.js'

describe('P42/B27: what a handler returns is sent', () => {
  const returned: [what: string, value: () => unknown, heard: (string | Buffer)[]][] = [
    ['a string, as it is', () => 'text', ['text']],
    ['an empty string', () => '', ['']],
    ['a Buffer, as bytes', () => Buffer.from([0, 255]), [Buffer.from([0, 255])]],
    ['an empty Buffer', () => Buffer.alloc(0), [Buffer.alloc(0)]],
    ['a typed array, as the bytes it shows', () => new Uint8Array([9, 1, 2, 9]).subarray(1, 3), [Buffer.from([1, 2])]],
    ['an ArrayBuffer', () => Uint8Array.of(7).buffer, [Buffer.from([7])]],
    ['an object, as JSON', () => ({ a: [1, 'é'] }), ['{"a":[1,"é"]}']],
    ['a number, as JSON', () => 0, ['0']],
    ['false, as JSON', () => false, ['false']],
    ['null, as JSON', () => null, ['null']],
    ['undefined: nothing', () => undefined, []],
    [
      'an array: each of its items',
      () => ['a', { b: 1 }, Buffer.from('c'), undefined],
      ['a', '{"b":1}', Buffer.from('c')],
    ],
    ['an empty array: nothing', () => [], []],
    ['a Set: each of its items', () => new Set(['a', 'b']), ['a', 'b']],
    ['a promise: what it gives', async () => 'later', ['later']],
    [
      'a generator: each of its items',
      function* () {
        yield 'a'
        yield 'b'
      },
      ['a', 'b'],
    ],
    [
      'an async generator: each of its items',
      async function* () {
        yield 'a'
        await turn()
        yield { b: 1 }
      },
      ['a', '{"b":1}'],
    ],
  ]
  for (const [what, value, heard] of returned) {
    for (const callback of ['open', 'message'] as const) {
      test(`P42/B27: ${what}, from ${callback}`, async t => {
        @WebSocket('/')
        class Returning {
          open() {
            return callback === 'open' ? value() : undefined
          }
          message() {
            return value()
          }
          ping() {
            return 'end'
          }
        }
        const { port } = await serve(t, [Returning])
        const peer = await WebSocketPeer.open(port, '/')
        if (callback === 'message') await peer.send('text', 'go')
        for (const each of heard) {
          const { opcode, payload } = await peer.read()
          assert.deepEqual(
            [opcode, payload.toString('latin1')],
            [typeof each === 'string' ? opcodes.text : opcodes.binary, Buffer.from(each as string).toString('latin1')],
          )
        }
        await peer.send('ping')
        assert.equal((await peer.read()).opcode, opcodes.pong)
        assert.equal(await peer.readText(), 'end')
        peer.raw.destroy()
      })
    }
  }

  for (const [what, value] of [
    ['an array', () => ['before', stop({ code: 4000, text: 'done' }), 'after']],
    [
      'a generator',
      function* () {
        yield 'before'
        yield stop({ code: 4000, text: 'done' })
        yield 'after'
      },
    ],
  ] as const) {
    test(`P42/B27: nothing that stands behind stop() is sent (${what})`, async t => {
      const ended: CloseReason[] = []
      @WebSocket('/')
      class Stopping {
        message(_message: string, socket: Socket) {
          socket.signal.addEventListener('abort', () => socket.send('late'))
          return value()
        }
        close(reason: CloseReason) {
          ended.push(reason)
          return 'later'
        }
      }
      const { port } = await serve(t, [Stopping])
      const peer = await WebSocketPeer.open(port, '/')
      await peer.send('text', 'go')
      assert.equal(await peer.readText(), 'before')
      assert.deepEqual(await peer.agree(), { code: 4000, text: 'done' })
      assert.deepEqual(ended, [{ kind: 'stopped', code: 4000, text: 'done' }])
    })
  }
})

test('texts are strings, bytes are Buffers, and fragments are joined', async t => {
  const seen: unknown[] = []
  @WebSocket('/')
  class Seeing {
    message(message: string | Buffer) {
      seen.push(typeof message === 'string' ? message : Buffer.isBuffer(message) && [...message])
      return 'seen'
    }
  }
  const { port } = await serve(t, [Seeing])
  const peer = await WebSocketPeer.open(port, '/')
  await peer.send('text', 'é')
  await peer.send('binary', Buffer.from([0xff]))
  await peer.send('text', '')
  await peer.send('binary', '')
  await peer.send('binary', Buffer.from([1]), { fin: false })
  await peer.send('continuation', Buffer.from([2]))
  for (let index = 0; index < 5; index++) await peer.readText()
  assert.deepEqual(seen, ['é', [0xff], '', [], [1, 2]])
  peer.raw.destroy()
})

test('B24: messages that come before open has finished wait for it, in their order, one at a time', async t => {
  let finish = () => {}
  const seen: string[] = []
  @WebSocket('/')
  class Slow {
    async open() {
      seen.push('open')
      await new Promise<void>(resolve => {
        finish = resolve
      })
      return 'opened'
    }
    async message(message: string) {
      seen.push(`${message} begins`)
      await turn()
      seen.push(`${message} ends`)
      return message
    }
  }
  const { port } = await serve(t, [Slow])
  const peer = await WebSocketPeer.open(port, '/', { early: [frame('text', '1'), frame('text', '2')] })
  await peer.send('text', '3')
  await peer.send('ping')
  assert.equal((await peer.read()).opcode, opcodes.pong)
  assert.deepEqual(seen, ['open'])
  finish()
  assert.equal(await peer.readText(), 'opened')
  for (const message of ['1', '2', '3']) assert.equal(await peer.readText(), message)
  assert.deepEqual(seen, ['open', ...['1', '2', '3'].flatMap(each => [`${each} begins`, `${each} ends`])])
  peer.raw.destroy()
})

test('a peer that says goodbye is heard out: what it sent before is handled, then close runs', async t => {
  const seen: string[] = []
  @WebSocket('/')
  class Slow {
    async message(message: string, socket: Socket) {
      await turn()
      seen.push(`${message} ${await socket.send('to whom?')}`)
    }
    info(message: string) {
      seen.push(message)
    }
    close({ kind }: CloseReason) {
      seen.push(kind)
    }
  }
  const { port } = await serve(t, [Slow])
  const peer = await WebSocketPeer.open(port, '/')
  const words = ['1', '2', '3', '4']
  await peer.raw.write(Buffer.concat([...words.map(word => frame('text', word)), frame('close', closing(1000))]))
  assert.equal((await peer.readClose()).code, 1000)
  await eventually('close has run', () => seen.includes('peer'))
  assert.deepEqual(seen, [...words.map(word => `${word} false`), 'peer'])
})

test('a peer that floods a slow handler is paused; memory is bounded, nothing is lost, and the order is kept', async t => {
  const waiting: (() => void)[] = []
  const seen: number[] = []
  let paused = true
  @WebSocket('/')
  class Slow {
    async message(message: Buffer) {
      seen.push(message.readUInt32BE())
      if (paused) await new Promise<void>(resolve => waiting.push(resolve))
    }
  }
  const { port } = await serve(t, [Slow])
  const peer = await WebSocketPeer.open(port, '/')
  const count = 600
  const before = process.memoryUsage().arrayBuffers
  let taken = 0
  const payload = Buffer.alloc(100_000)
  const sending = (async () => {
    for (; taken < count; taken++) {
      payload.writeUInt32BE(taken)
      await peer.raw.write(frame('binary', payload))
    }
  })()
  let last = -1
  await eventually('the kernel takes no more', async () => {
    const still = taken === last
    last = taken
    await new Promise(resolve => setTimeout(resolve, 50))
    return still
  })
  assert.ok(taken < count / 2, `${taken} of ${count} messages were taken for one that was handled`)
  assert.equal(seen.length, 1)
  assert.ok(process.memoryUsage().arrayBuffers - before < 20_000_000, 'what waits is bounded')
  paused = false
  for (const resolve of waiting.splice(0)) resolve()
  await sending
  await eventually('all have come', () => seen.length === count)
  assert.deepEqual(seen, [...Array(count).keys()])
  peer.raw.destroy()
})

test('thousands of tiny messages in one packet wait for a slow handler, and being told something does not end it', async t => {
  let finish = () => {}
  let first = true
  const sockets: Socket[] = []
  const seen: string[] = []
  @WebSocket('/')
  class Slow {
    open(socket: Socket) {
      sockets.push(socket)
    }
    message(message: string) {
      seen.push(message)
      if (!first) return undefined
      first = false
      return new Promise<void>(resolve => {
        finish = resolve
      })
    }
    info(message: string) {
      return message
    }
  }
  const { port } = await serve(t, [Slow])
  const peer = await WebSocketPeer.open(port, '/')
  const count = 5000
  await peer.raw.write(Buffer.concat(Array.from({ length: count }, (_, index) => frame('text', `${index}`))))
  await eventually('the first is handled', () => seen.length === 1)
  assert.equal(sockets[0]?.tell('told'), true)
  finish()
  assert.equal(await peer.readText(), 'told')
  await eventually('all have come', () => seen.length === count)
  assert.deepEqual(
    seen,
    Array.from({ length: count }, (_, index) => `${index}`),
  )
  peer.raw.destroy()
})

test('B18: what one packet of messages brings about is sent in order, pongs included', async t => {
  @WebSocket('/')
  class Mixed {
    message(message: string, socket: Socket) {
      void socket.send(`sent ${message}`)
      return `returned ${message}`
    }
  }
  const { port } = await serve(t, [Mixed])
  const peer = await WebSocketPeer.open(port, '/')
  await peer.raw.write(Buffer.concat([frame('text', '1'), frame('ping', 'p'), frame('text', '2')]))
  assert.deepEqual([await peer.readText(), await peer.readText()], ['sent 1', 'returned 1'])
  assert.deepEqual((await peer.read()).opcode, opcodes.pong)
  assert.deepEqual([await peer.readText(), await peer.readText()], ['sent 2', 'returned 2'])
  peer.raw.destroy()
})
