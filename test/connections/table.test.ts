/** Callback × what it returns or throws × how it ends: on both transports, each for real. */
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import {
  type CloseReason,
  type Connection,
  ConnectionRegistry,
  conflict,
  EventStream,
  On,
  Registry,
  Socket,
  Sse,
  stop,
  WebSocket,
} from '../../src/index.js'
import { type Served, start } from '../support/app.js'
import { eventually } from '../support/eventually.js'
import { SocketPeer, StreamPeer } from '../support/peers.js'

/** One connection's script, and what it saw. */
interface Play {
  readonly callback: string
  readonly act: () => unknown
  /** What it throws. */
  readonly error: Error
  ran: number
  finals: number
  readonly reasons: CloseReason[]
}

const plays = new Map<string, Play>()

@Registry('table', { history: false })
class Table extends ConnectionRegistry {}

abstract class Actor {
  constructor(
    protected readonly table: Table,
    protected readonly connection: Connection,
  ) {}

  get play(): Play {
    return plays.get(this.connection.params.play ?? '') as Play
  }

  /** Plays the script, the first time that its callback is called. */
  act(callback: string): unknown {
    if (this.play.callback !== callback || this.play.ran++ > 0) return undefined
    return this.play.act()
  }

  open() {
    const { connection, play } = this
    if (play.callback === 'registry.tell') return void this.table.join(connection, connection.params.play ?? '')
    if (play.callback === 'tell') connection.tell('tell')
    if (play.callback === 'every') connection.every(5, 'every')
    if (play.callback === 'after') connection.after(5, 'after')
    return this.act('open')
  }

  info(message: string) {
    return this.act(message)
  }

  close(reason: CloseReason) {
    this.play.reasons.push(reason)
    return this.act('close')
  }
}

@Sse('/stream/:play')
class Streams extends Actor {
  constructor(table: Table, stream: EventStream) {
    super(table, stream)
  }
}

@WebSocket('/socket/:play')
class Sockets extends Actor {
  constructor(table: Table, socket: Socket) {
    super(table, socket)
  }

  message() {
    return this.act('message')
  }

  ping() {
    return this.act('ping')
  }

  @On('go')
  go() {
    return this.act('@On')
  }
}

/** What a callback does, what of it is sent, and how it ends the connection. */
interface Deed {
  readonly act: (play: () => Play) => unknown
  readonly sent?: readonly string[]
  readonly ends?: 'stopped' | 'failed'
  readonly code?: number
  readonly text?: string
  /** An event source's `open` that does it is answered with this status. */
  readonly status?: number
  readonly finals?: number
  /** It never settles, so that `close` waits for it, but not for ever; nor does the head go out. */
  readonly hangs?: boolean
  /** Whether it throws the script's own error. */
  readonly throws?: boolean
}

const deeds: Record<string, Deed> = {
  'a value': { act: () => 'a', sent: ['a'] },
  undefined: { act: () => undefined },
  'a promise': { act: async () => 'a', sent: ['a'] },
  'a rejected promise': { act: play => Promise.reject(play().error), ends: 'failed', status: 500, throws: true },
  'a throw': {
    act: play => {
      throw play().error
    },
    ends: 'failed',
    status: 500,
    throws: true,
  },
  'an HttpError': {
    act: play => {
      throw play().error
    },
    ends: 'failed',
    status: 409,
    text: 'taken',
    throws: true,
  },
  'what has no form': { act: () => Symbol('none'), ends: 'failed' },
  'stop()': { act: () => stop(), ends: 'stopped', code: 1000, status: 204 },
  'a promise of stop()': { act: async () => stop(), ends: 'stopped', code: 1000, status: 204 },
  'stop(code, text)': {
    act: () => stop({ code: 4001, text: 'enough' }),
    ends: 'stopped',
    code: 4001,
    text: 'enough',
    status: 204,
  },
  'an array': { act: () => ['a', 'b'], sent: ['a', 'b'] },
  'an array with stop() inside': { act: () => ['a', stop(), 'b'], sent: ['a'], ends: 'stopped', code: 1000 },
  'a generator': {
    *act(play) {
      try {
        yield 'a'
        yield 'b'
      } finally {
        play().finals++
      }
    },
    sent: ['a', 'b'],
    finals: 1,
  },
  'a generator that throws': {
    *act(play) {
      try {
        yield 'a'
        throw play().error
      } finally {
        play().finals++
      }
    },
    sent: ['a'],
    ends: 'failed',
    finals: 1,
    throws: true,
  },
  'a generator that yields stop()': {
    *act(play) {
      try {
        yield 'a'
        yield stop()
        yield 'b'
      } finally {
        play().finals++
      }
    },
    sent: ['a'],
    ends: 'stopped',
    code: 1000,
    finals: 1,
  },
  'an async generator': {
    async *act() {
      yield 'a'
      await new Promise(setImmediate)
      yield 'b'
    },
    sent: ['a', 'b'],
  },
  'an async generator that throws': {
    async *act(play) {
      try {
        yield 'a'
        throw play().error
      } finally {
        play().finals++
      }
    },
    sent: ['a'],
    ends: 'failed',
    finals: 1,
    throws: true,
  },
  'what never settles': { act: () => new Promise(() => {}), hangs: true },
}

const fromInside = ['tell', 'every', 'after', 'registry.tell']
const callbacks = { stream: ['open', ...fromInside], socket: ['open', 'message', 'ping', ...fromInside] }

let served: Served
before(async () => {
  served = await start([Streams, Sockets], { providers: [Table] })
})
after(async () => {
  await eventually('no connection left', () => served.app.connections === 0, { timeout: 15_000 })
  assert.equal(served.app.get(Table).size, 0)
  await served.app.close({ deadline: 1000 })
  for (const [name, { reasons }] of plays) assert.equal(reasons.length, 1, `${name}: ${reasons.length} closes`)
})

let scripts = 0

/** Puts a script on stage; answers its name, with which a peer asks for it. */
function stage(callback: string, { act, status }: Deed): { name: string; play: Play } {
  const name = `${callback.replace(/\W/g, '')}-${++scripts}`
  const error = status === 409 ? conflict('taken') : new Error('boom')
  const play: Play = { callback, act: () => act(() => play), error, ran: 0, finals: 0, reasons: [] }
  plays.set(name, play)
  return { name, play }
}

async function told(callback: string, name: string): Promise<void> {
  if (callback !== 'registry.tell') return
  const table = served.app.get(Table)
  await eventually('a member', () => table.count(name) === 1)
  await table.tell(name, 'registry.tell')
}

/** Waits for `close`; answers its reason. That it comes once is seen when all is over. */
async function closedOnce(play: Play, deed: Deed): Promise<CloseReason> {
  await eventually('one close', () => play.reasons.length === 1, { timeout: 20_000 })
  assert.equal(play.ran > 0, true)
  assert.equal(play.finals, deed.finals ?? 0)
  return play.reasons[0] as CloseReason
}

function isLoggedOnce(play: Play, deed: Deed): boolean {
  loggedOnce('close', play, deed)
  return true
}

/** A failure is logged once, with the route's name; a refusal by `open` is an answer, and no failure. */
function loggedOnce(callback: string, play: Play, deed: Deed): void {
  const own = served.log.errors.filter(({ details }) => details === play.error)
  const isRefusal = callback === 'open' && deed.status === 409
  assert.equal(own.length, deed.throws && !isRefusal ? 1 : 0)
  for (const { message } of own) assert.match(message, /Streams|Sockets/)
}

async function playStream(callback: string, deed: Deed): Promise<void> {
  const { name, play } = stage(callback, deed)
  const peer = await StreamPeer.ask(served.port, `/stream/${name}`)
  await told(callback, name)
  if (callback === 'open' && deed.status !== undefined) {
    await peer.hears('\r\n\r\n')
    assert.equal(peer.read().status, deed.status)
    assert.equal((await closedOnce(play, deed)).kind, deed.ends)
    loggedOnce(callback, play, deed)
    return peer.raw.destroy()
  }
  if (deed.ends === undefined) {
    if (!(deed.hangs && callback === 'open')) await peer.hears('\r\n\r\n')
    for (const data of deed.sent ?? []) await peer.hears(`data: ${data}\n\n`)
    await eventually('it ran', () => play.ran > 0)
    peer.raw.destroy()
    assert.deepEqual(await closedOnce(play, deed), { kind: 'peer' })
    assert.deepEqual(peer.read().data, deed.sent ?? [])
    return
  }
  const { status, data, events, whole } = await peer.end()
  assert.deepEqual(
    { status, data, events, whole },
    {
      status: 200,
      data: deed.sent ?? [],
      events: deed.ends === 'failed' ? ['error'] : [],
      whole: deed.ends === 'stopped',
    },
  )
  assert.equal((await closedOnce(play, deed)).kind, deed.ends)
  loggedOnce(callback, play, deed)
}

async function playSocket(callback: string, deed: Deed): Promise<void> {
  const { name, play } = stage(callback, deed)
  const peer = await SocketPeer.open(served.port, `/socket/${name}`)
  if (callback === 'message') peer.ws.send('go')
  if (callback === 'ping') peer.ws.ping()
  await told(callback, name)
  if (deed.ends === undefined) {
    const sent = deed.sent ?? []
    await eventually('it ran', () => play.ran > 0 && peer.messages.length >= sent.length)
    peer.ws.close(4000, 'bye')
    assert.deepEqual(await peer.closed, { code: 4000, text: 'bye' })
    assert.deepEqual(await closedOnce(play, deed), { kind: 'peer', code: 4000, text: 'bye' })
    assert.deepEqual(peer.messages, sent)
    return
  }
  assert.deepEqual(await peer.closed, { code: deed.code ?? 1011, text: deed.text ?? '' })
  assert.deepEqual(peer.messages, deed.sent ?? [])
  const reason = await closedOnce(play, deed)
  assert.equal(reason.kind, deed.ends)
  loggedOnce(callback, play, deed)
  if (reason.kind === 'stopped') assert.deepEqual([reason.code, reason.text], stopped(deed))
}

function stopped({ code, text }: Deed): unknown[] {
  return [code === 1000 ? undefined : code, text]
}

describe('what a callback does decides how its connection ends, with one close', { concurrency: 20 }, () => {
  for (const [what, deed] of Object.entries(deeds)) {
    for (const callback of callbacks.stream) test(`stream: ${callback} × ${what}`, () => playStream(callback, deed))
    for (const callback of callbacks.socket) test(`socket: ${callback} × ${what}`, () => playSocket(callback, deed))
  }
})

describe('what close does changes nothing any more', { concurrency: 20 }, () => {
  for (const [what, deed] of Object.entries(deeds)) {
    const silent = { act: deed.act, ...(deed.throws && deed.finals === undefined ? { throws: true } : {}) }
    test(`stream: close × ${what}`, async () => {
      const { name, play } = stage('close', silent)
      const peer = await StreamPeer.open(served.port, `/stream/${name}`)
      peer.raw.destroy()
      assert.deepEqual(await closedOnce(play, silent), { kind: 'peer' })
      await eventually('the log', () => isLoggedOnce(play, silent))
    })
    test(`socket: close × ${what}`, async () => {
      const { name, play } = stage('close', silent)
      const peer = await SocketPeer.open(served.port, `/socket/${name}`)
      peer.ws.close(4000)
      assert.deepEqual(await peer.closed, { code: 4000, text: '' })
      assert.deepEqual(await closedOnce(play, silent), { kind: 'peer', code: 4000 })
      assert.deepEqual(peer.messages, [])
      await eventually('the log', () => isLoggedOnce(play, silent))
    })
  }
})
