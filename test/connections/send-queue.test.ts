import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { type QueueOptions, SendQueue } from '../../src/connections/send-queue.js'
import type { Overflow } from '../../src/index.js'
import { turn, Wire } from '../support/registry-peers.js'

interface Opened {
  readonly queue: SendQueue
  readonly wire: Wire
  readonly overflows: () => number
  /** What the peer has, by name. */
  readonly names: () => unknown[]
}

function queueOf({ overflowed = () => {}, ...queue }: QueueOptions & { overflowed?: () => void }): SendQueue {
  return new SendQueue({ plan: { queue }, overflowed, failed() {} })
}

function open(overflow: Overflow, limit = 1000, highWaterMark = 100): Opened {
  let overflows = 0
  const queue = queueOf({
    limit,
    overflow,
    overflowed() {
      overflows++
      queue.drop()
    },
  })
  const wire = new Wire(highWaterMark)
  queue.open(wire)
  queue.release()
  return { queue, wire, overflows: () => overflows, names: () => wire.frames.map(frame => frame.event) }
}

/** A line of a certain size that says its name. */
function line(name: string, size = 100): Buffer {
  const text = JSON.stringify({ event: name, data: '' })
  return Buffer.from(`${text.slice(0, -2)}${'x'.repeat(size - text.length - 1)}"}\n`)
}

const names = (...numbers: number[]) => numbers.map(number => `n${number}`)

const policies: Record<Overflow, (opened: Opened) => void> = {
  disconnect: ({ overflows }) => assert.equal(overflows(), 1),
  'drop-oldest': ({ names: has, overflows }) => {
    assert.equal(overflows(), 0)
    assert.deepEqual(has(), names(0, 11, 12, 13, 14, 15, 16, 17, 18, 19))
  },
  'drop-newest': ({ names: has, overflows }) => {
    assert.equal(overflows(), 0)
    assert.deepEqual(has(), names(0, 1, 2, 3, 4, 5, 6, 7, 8, 9))
  },
  latest: ({ names: has, overflows }) => {
    assert.equal(overflows(), 0)
    assert.deepEqual(has(), names(0, 11, 12, 13, 14, 15, 16, 17, 18, 19))
  },
}

for (const [overflow, check] of Object.entries(policies) as [Overflow, (opened: Opened) => void][]) {
  describe(overflow, () => {
    test('a peer that does not read holds no more than the limit', async () => {
      for (const how of ['push', 'stage'] as const) {
        const opened = open(overflow)
        const { queue, wire, overflows } = opened
        wire.pause()
        for (let n = 0; n < 20; n++) {
          if (how === 'push') queue.push(line(`n${n}`), `n${n}`)
          else if (!queue.stage(line(`n${n}`), `n${n}`)) return
          assert.ok(queue.size <= 1000, `${queue.size} bytes`)
          await turn()
          assert.ok(queue.size <= 1000, `${queue.size} bytes`)
          if (overflows() > 0) break
        }
        wire.resume()
        await turn()
        check(opened)
      }
    })

    test('a burst within one turn passes the limit no further', async () => {
      const { queue, wire } = open(overflow)
      wire.pause()
      for (let n = 0; n < 2000 && queue.stage(line(`n${n}`)); n++) assert.ok(queue.size <= 1000, `${queue.size} bytes`)
      await turn()
      assert.ok(queue.size <= 1000, `${queue.size} bytes`)
    })

    test('the limit counts what is about to be written', () => {
      const { queue, wire, overflows } = open(overflow, 1000, 500)
      wire.pause()
      queue.push(line('first', 400))
      queue.push(line('second', 700))
      assert.ok(queue.size <= 1000, `${queue.size} bytes`)
      assert.equal(overflows(), overflow === 'disconnect' ? 1 : 0)
    })

    test('what the sink buffers by itself is no overflow: whoever sends is told to wait before anything is dropped', async () => {
      const { queue, wire, names: has, overflows } = open(overflow, 100, 500)
      wire.pause()
      let sent = 0
      while (queue.push(line(`n${sent}`, 90), `n${sent}`)) sent++
      assert.ok(sent > 1)
      wire.resume()
      assert.equal(await queue.drained(), true)
      assert.deepEqual(has(), names(...Array(sent + 1).keys()))
      assert.equal(overflows(), 0)
    })

    test('one message that is larger than the limit passes, where nothing waits', async () => {
      const { queue, wire, names: has, overflows } = open(overflow)
      queue.push(line('large', 5000))
      queue.stage(line('large too', 5000))
      await turn()
      assert.deepEqual(has(), ['large', 'large too'])
      wire.pause()
      queue.push(line('small'))
      queue.push(line('large', 5000))
      assert.equal(overflows(), overflow === 'disconnect' ? 1 : 0)
    })

    test('a peer that reads is never cut, and misses nothing, however much it is', async () => {
      const { queue, wire, names: has, overflows } = open(overflow)
      for (let n = 0; n < 1000; n++) {
        queue.push(line(`n${2 * n}`))
        queue.stage(line(`n${2 * n + 1}`))
        if (n % 3 === 0) wire.pause()
        if (n % 3 === 1) wire.resume()
        await turn()
      }
      wire.resume()
      await turn()
      assert.deepEqual(has(), names(...Array(2000).keys()))
      assert.equal(overflows(), 0)
    })
  })
}

describe('latest', () => {
  test('keeps the newest of each name, in the order of what is kept', async () => {
    const { queue, wire } = open('latest')
    wire.pause()
    queue.push(line('written'))
    for (let n = 0; n < 100; n++) for (const key of ['x', 'y']) queue.push(line(`${key}${n}`), key)
    queue.push(line('own'))
    queue.push(line('x100'), 'x')
    wire.resume()
    await turn()
    assert.deepEqual(
      wire.frames.map(frame => frame.event),
      ['written', 'y99', 'own', 'x100'],
    )
  })
})

describe('order', () => {
  test('what was staged goes before what is pushed after it', async () => {
    const { queue, names: has } = open('disconnect')
    queue.stage(line('n0'))
    queue.push(line('n1'))
    queue.stage(line('n2'))
    queue.stage(line('n3'))
    queue.push(line('n4'))
    await turn()
    assert.deepEqual(has(), names(0, 1, 2, 3, 4))
  })

  test('what is staged while the opening runs waits for it; what is pushed does not', async () => {
    const queue = queueOf({ limit: 1000, overflow: 'disconnect' })
    const wire = new Wire()
    queue.stage(line('before'))
    queue.open(wire)
    queue.stage(line('published'))
    queue.push(line('own'))
    await turn()
    assert.deepEqual(
      wire.frames.map(frame => frame.event),
      ['before', 'own'],
    )
    queue.release()
    assert.deepEqual(
      wire.frames.map(frame => frame.event),
      ['before', 'own', 'published'],
    )
  })

  for (const overflow of Object.keys(policies) as Overflow[]) {
    test(`what is staged while the opening runs is bounded, and the policy says what stays (${overflow})`, () => {
      const queue = queueOf({ limit: 1000, overflow })
      const wire = new Wire()
      queue.open(wire)
      for (let n = 0; n < 100; n++) queue.stage(line(`n${n}`))
      assert.ok(queue.size <= 1000, `${queue.size} bytes`)
      queue.release()
      const isNewest = overflow === 'latest' || overflow === 'drop-oldest'
      assert.deepEqual(
        wire.frames.map(frame => frame.event),
        Array.from({ length: 10 }, (_, n) => `n${isNewest ? n + 90 : n}`),
      )
    })
  }

  test('what is staged while the opening runs is the latest of each name', () => {
    const queue = queueOf({ limit: 1000, overflow: 'latest' })
    const wire = new Wire()
    queue.open(wire)
    for (let n = 0; n < 100; n++) for (const key of ['x', 'y']) queue.stage(line(`${key}${n}`), key)
    queue.release()
    assert.deepEqual(
      wire.frames.map(frame => frame.event),
      ['x99', 'y99'],
    )
  })

  test('what was set aside comes back behind what was sent meanwhile', async () => {
    const queue = queueOf({ limit: 1000, overflow: 'disconnect' })
    const wire = new Wire()
    queue.push(line('n1'))
    queue.stage(line('n2'))
    queue.setAside()
    queue.open(wire)
    queue.push(line('n0'))
    queue.takeBack()
    await turn()
    assert.deepEqual(
      wire.frames.map(frame => frame.event),
      names(0, 1, 2),
    )
  })
})

describe('an end', () => {
  test('drained settles when the peer has taken all, and when the queue is dropped', async () => {
    const { queue, wire } = open('disconnect')
    assert.equal(await queue.drained(), true)
    wire.pause()
    queue.push(line('n0'))
    queue.push(line('n1'))
    const order: string[] = []
    const drained = queue.drained().then(() => order.push('drained'))
    assert.equal(queue.drained(), queue.drained(), 'who waits costs nothing more')
    await turn()
    order.push('resume')
    wire.resume()
    await drained
    assert.deepEqual(order, ['resume', 'drained'])
    wire.pause()
    queue.push(line('n2'))
    const dropped = queue.drained()
    queue.drop()
    assert.equal(await dropped, false)
    assert.equal(await queue.drained(), false)
  })

  test('finish hands all to the sink, and nothing follows', async () => {
    const { queue, wire, names: has } = open('disconnect')
    wire.pause()
    queue.push(line('n0'))
    queue.push(line('n1'))
    queue.stage(line('n2'))
    queue.finish()
    queue.push(line('n3'))
    queue.stage(line('n4'))
    await turn()
    wire.resume()
    await turn()
    assert.deepEqual(has(), names(0, 1, 2))
    assert.equal(queue.size, 0)
  })

  test('a dropped queue takes nothing, and writes nothing at the end of the turn', async () => {
    const { queue, wire } = open('disconnect')
    queue.stage(line('n0'))
    queue.drop()
    assert.equal(queue.stage(line('n1')), true)
    queue.push(line('n2'))
    await turn()
    assert.deepEqual(wire.frames, [])
  })
})
