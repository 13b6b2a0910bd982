/** What an `@On` handler does: it is acknowledged, or answered with an error; only `stop()` ends the connection. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { type CloseReason, conflict, Data, On, stop, WebSocket } from '../../src/index.js'
import { type Served, start } from '../support/app.js'
import { eventually } from '../support/eventually.js'
import { SocketPeer } from '../support/peers.js'

const boom = new Error('boom')

interface Row {
  readonly act: () => unknown
  /** What comes back to the one who asked for an acknowledgement. */
  readonly answer?: unknown
  readonly ends?: { readonly code: number; readonly text: string }
  readonly logged?: boolean
}

const internal = { type: 'about:blank', title: 'Internal Server Error', status: 500 }
const taken = { type: 'about:blank', title: 'Conflict', status: 409, detail: 'taken' }

function throwing(error: Error): () => never {
  return () => {
    throw error
  }
}

const rows: Record<string, Row> = {
  'a value': { act: () => ({ a: 1 }), answer: { ack: 1, data: { a: 1 } } },
  undefined: { act: () => undefined, answer: { ack: 1, data: null } },
  'an array': { act: () => [1, 2], answer: { ack: 1, data: [1, 2] } },
  'a promise': { act: async () => 'later', answer: { ack: 1, data: 'later' } },
  'a rejected promise': { act: () => Promise.reject(boom), answer: { ack: 1, error: internal }, logged: true },
  'a throw': { act: throwing(boom), answer: { ack: 1, error: internal }, logged: true },
  'an HttpError': { act: throwing(conflict('taken')), answer: { ack: 1, error: taken } },
  'an HttpError that is returned': { act: () => conflict('taken'), answer: { ack: 1, error: taken } },
  'stop()': { act: () => stop(), ends: { code: 1000, text: '' } },
  'stop(code, text)': { act: async () => stop({ code: 4001, text: 'enough' }), ends: { code: 4001, text: 'enough' } },
}

const reasons: CloseReason[] = []

@WebSocket('/')
class Messages {
  @On('go')
  go(@Data() what: string) {
    return rows[what]?.act()
  }

  close(reason: CloseReason) {
    reasons.push(reason)
  }
}

let served: Served
before(async () => {
  served = await start([Messages])
})
after(() => served.app.close())

for (const [what, { answer, ends, logged }] of Object.entries(rows)) {
  test(`@On × ${what}`, async () => {
    reasons.length = 0
    served.log.errors.length = 0
    const peer = await SocketPeer.open(served.port, '/')
    peer.ws.send(JSON.stringify({ event: 'go', data: what, ack: 1 }))
    if (ends === undefined) {
      await eventually('an answer', () => peer.messages.length === 1)
      peer.ws.close(4000)
    }
    assert.deepEqual(await peer.closed, ends ?? { code: 4000, text: '' })
    assert.deepEqual(
      peer.messages.map(message => JSON.parse(message)),
      answer === undefined ? [] : [answer],
    )
    await eventually('one close', () => reasons.length === 1)
    assert.equal(reasons[0]?.kind, ends === undefined ? 'peer' : 'stopped')
    assert.deepEqual(
      served.log.errors.map(({ details }) => details),
      logged ? [boom] : [],
    )
    assert.ok(served.log.messages.every(message => message.includes('Messages.go')))
  })
}
