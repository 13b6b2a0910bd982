import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createReadStream } from 'node:fs'
import { describe, test } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import { type Context, Controller, Ctx, Get, type RequestContext } from '../../src/index.js'
import { eventually } from '../support/eventually.js'
import { RawPeer } from '../support/raw-peer.js'
import { serveSuite } from '../support/serve.js'

describe('a source whose peer leaves', () => {
  let ended = 0
  let signals = 0
  let produced = 0
  let cancelled = 0
  let unsubscribed = 0
  let file: ReturnType<typeof createReadStream> | undefined
  const chunk = 'x'.repeat(65_536)

  @Controller()
  class Endless {
    @Get('/parked') async *parked(@Ctx() context: Context, signal: AbortSignal) {
      try {
        yield 'first'
        await once(new EventTarget() as never, 'never', { signal })
      } finally {
        ended++
        if (context.signal.aborted) signals++
      }
    }
    @Get('/fast') async *fast() {
      try {
        for (;;) {
          produced++
          yield chunk
        }
      } finally {
        ended++
      }
    }
    @Get('/sync') *sync() {
      try {
        for (;;) yield chunk
      } finally {
        ended++
        // biome-ignore lint/correctness/noUnsafeFinally: that is what is tested
        throw new Error('the clean-up failed')
      }
    }
    @Get('/web') web() {
      return new ReadableStream({
        start: controller => controller.enqueue('first'),
        cancel: () => void cancelled++,
      })
    }
    @Get('/observable') observable() {
      return {
        '@@observable': () => ({
          subscribe(observer: { next(item: unknown): void }) {
            observer.next('first')
            return { unsubscribe: () => void unsubscribed++ }
          },
        }),
      }
    }
    @Get('/file') async file(@Ctx() { response }: RequestContext) {
      await once(response, 'close')
      file = createReadStream(process.execPath)
      return file
    }
  }
  const served = serveSuite({ controllers: [Endless] })

  const begin = async (path: string) => {
    const peer = await RawPeer.connect(served.port)
    await peer.write(`GET ${path} HTTP/1.1\r\nHost: a\r\n\r\n`)
    return peer
  }

  test('runs its finally once, and at once where it heeds the signal', async () => {
    const before = ended
    const peer = await begin('/parked')
    await peer.readUntil('first')
    peer.reset()
    await eventually('the finally has run', () => ended === before + 1)
    assert.equal(signals, 1)
    await turn()
    assert.equal(ended, before + 1)
    assert.deepEqual(served.log, [])
  })

  test('waits while the peer is slow, in bounded memory, and ends when that leaves', async () => {
    const before = ended
    const peer = await begin('/fast')
    await peer.readUntil('xxxx')
    peer.pause()
    let seen = -1
    await eventually('the generator waits', async () => {
      const same = produced === seen
      seen = produced
      for (let turns = 0; turns < 50; turns++) await turn()
      return same && produced === seen
    })
    assert.ok(produced < 500, `${produced} chunks of 64 KiB were made for a peer that reads nothing`)
    peer.destroy()
    await eventually('the finally has run', () => ended === before + 1)
  })

  test('may fail when it is let go: that is logged, and goes no further', async () => {
    const before = ended
    const peer = await begin('/sync')
    await peer.readUntil('xxxx')
    peer.reset()
    await eventually('the failure is logged', () => served.log.length === 1)
    assert.equal(ended, before + 1)
    assert.equal(served.log[0]?.message, 'Endless.sync: its source failed when it was let go')
  })

  test('is cancelled, where it is a web stream', async () => {
    const peer = await begin('/web')
    await peer.readUntil('first')
    peer.destroy()
    await eventually('the stream is cancelled', () => cancelled === 1)
  })

  test('is unsubscribed from, where it is an observable', async () => {
    const peer = await begin('/observable')
    await peer.readUntil('first')
    peer.destroy()
    await eventually('the observable has lost its observer', () => unsubscribed === 1)
  })

  test('is let go, too, when that has left before there was a source', async () => {
    const peer = await begin('/file')
    peer.reset()
    await eventually('the file is closed', () => file?.destroyed)
  })
})
