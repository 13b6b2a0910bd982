import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import {
  Body,
  Controller,
  Ctx,
  fromContext,
  Get,
  Guard,
  type GuardLike,
  Intercept,
  type InterceptorLike,
  MapError,
  Post,
  type RequestContext,
  reply,
} from '../../src/index.js'
import { RawPeer } from '../support/raw-peer.js'
import { send } from '../support/send.js'
import { serve } from '../support/serve.js'
import { withResolvers } from '../support/with-resolvers.js'

const raise = () => {
  throw new Error('secret')
}
const rejects = async () => raise()
const rejectsLater = async () => {
  await turn()
  raise()
}
// biome-ignore lint/suspicious/noThenProperty: that is what is tested
const brokenThenable = () => ({ then: raise })
const brokenGetter = () => Object.defineProperty({}, 'then', { get: raise })
const brokenHeader = () => reply('x', { headers: { 'X-A': '\r\n' } })

/** Each way to fail, in each place where something of the user's runs. An unhandled rejection fails this file. */
const ways: Record<string, () => unknown> = { raise, rejects, rejectsLater, brokenThenable, brokenGetter, brokenHeader }

describe('whatever fails, wherever: one 500, one line in the log, and the process lives', () => {
  for (const [way, fail] of Object.entries(ways)) {
    const Custom = fromContext(fail)
    @Controller()
    class Failing {
      @Get('/handler') handler() {
        return fail()
      }
      @Get('/guard') @Guard(fail as GuardLike) guard() {
        return 'unreached'
      }
      @Get('/interceptor') @Intercept(fail as InterceptorLike) interceptor() {
        return 'unreached'
      }
      @Get('/around') @Intercept((_, next) => next()) around() {
        return fail()
      }
      @Get('/mapper') @MapError(Error, fail as never) mapper() {
        throw new Error('first')
      }
      @Get('/parameter') parameter(@Custom() _first: unknown, @Custom() _second: unknown) {
        return reply('unreached', { headers: { 'X-A': '\r\n' } })
      }
      @Post('/parameter-and-body') parameterAndBody(@Body() _body: unknown, @Custom() _first: unknown) {
        return reply('unreached', { headers: { 'X-A': '\r\n' } })
      }
    }

    for (const line of [
      'GET /handler',
      'GET /guard',
      'GET /interceptor',
      'GET /around',
      'GET /mapper',
      'GET /parameter',
      'POST /parameter-and-body',
    ]) {
      test(`${way} in ${line}`, async t => {
        const { port, log } = await serve(t, { controllers: [Failing] })
        const body = line.startsWith('POST') ? { body: {} } : {}
        const answer = await send(port, line, body)
        assert.equal(answer.status, 500)
        assert.doesNotMatch(answer.text, /secret/)
        assert.equal(log.filter(({ level }) => level === 'error').length, 1)
        assert.match(log[0]?.message ?? '', /^(GET|POST) Failing\.\w+/)
        await turn()
      })
    }
  }
})

test('a connection is used again after every kind of error', async t => {
  @Controller()
  class Mixed {
    @Get('/throws') throws() {
      raise()
    }
    @Get('/header') header() {
      return brokenHeader()
    }
    @Get('/nothing') nothing() {}
    @Post('/body') body(@Body() body: unknown) {
      return { body }
    }
    @Get('/fine') fine() {
      return 'fine'
    }
  }
  const { port } = await serve(t, { controllers: [Mixed] })
  const json = (text: string, type = 'application/json') =>
    `POST /body HTTP/1.1\r\nHost: a\r\nContent-Type: ${type}\r\nContent-Length: ${text.length}\r\n\r\n${text}`
  const get = (path: string) => `GET ${path} HTTP/1.1\r\nHost: a\r\n\r\n`
  const requests: [text: string, status: number][] = [
    [get('/throws'), 500],
    [get('/header'), 500],
    [get('/nothing'), 500],
    [get('/nowhere'), 404],
    [get('/%zz'), 400],
    [`DELETE ${get('/fine').slice(4)}`, 405],
    [json('{'), 400],
    [json('<a/>', 'text/xml; charset=latin1'), 415],
    [json('x'.repeat(2_000_000)), 413],
    [json('[1]'), 200],
  ]
  const peer = await RawPeer.connect(port)
  for (const [text, status] of requests) {
    await peer.write(text)
    const head = await peer.readUntil('\r\n\r\n')
    assert.match(head, new RegExp(`^HTTP/1\\.1 ${status} `))
    const length = Number(/content-length: (\d+)/i.exec(head)?.[1])
    await peer.readUntil(new RegExp(`[^]{${length}}`))
  }
  await peer.write(requests.map(([text]) => text).join(''))
  for (const [, status] of requests) assert.match(await peer.readUntil('\r\n\r\n'), new RegExp(`HTTP/1\\.1 ${status} `))
  peer.destroy()
})

test('a handler whose peer has left may go on, fail or answer, and nobody is harmed', async t => {
  const { promise, resolve } = withResolvers()
  let running = 0
  @Controller()
  class Slow {
    @Get('/answers') async answers(@Ctx() _context: RequestContext) {
      running++
      await promise
      return { too: 'late' }
    }
    @Get('/fails') async fails() {
      running++
      await promise
      raise()
    }
    @Get('/writes') async writes(@Ctx() { response }: RequestContext) {
      running++
      await promise
      response.write('too late')
      response.end()
    }
    @Get('/fine') fine() {
      return 'fine'
    }
  }
  const { port, log } = await serve(t, { controllers: [Slow] })
  for (const path of ['/answers', '/fails', '/writes']) {
    const peer = await RawPeer.connect(port)
    await peer.write(`GET ${path} HTTP/1.1\r\nHost: a\r\n\r\n`)
    while (running === 0) await turn()
    running = 0
    peer.reset()
    await peer.closed
  }
  assert.equal((await send(port, 'GET /fine')).text, 'fine')
  resolve()
  assert.equal((await send(port, 'GET /fine')).text, 'fine')
  assert.deepEqual(
    log.map(line => line.message),
    ['GET Slow.fails failed'],
  )
})
