import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { root } from './support/paths.js'

const rows = [
  ...Array.from({ length: 50 }, (_, index) => `P${index + 1}`),
  ...Array.from({ length: 35 }, (_, index) => `B${index + 1}`),
]

/** The traps that the ancestors fell into, and the row and the words of the test that would fall into each. */
const traps: [trap: string, row: string, words: string][] = [
  ['GET, a stream and a socket on one path', 'B9', 'carries GET, an event stream and a WebSocket at once'],
  ['a peer that sends bytes mid-stream, then closes', 'P34', 'said something during the stream, and then closed'],
  ['what is published inside the handler comes behind the first event', 'P13', 'what open returns comes first'],
  ['a linked failure is an abnormal end', 'P32', 'cut without the final chunk'],
  ['a clean end has its final chunk', 'B17', 'then the final chunk'],
  ['close runs once for each reason', 'B29', 'each end has its reason'],
  ['to be idle is invisible to the peer', 'P44', 'works as before'],
  ['the 101 has the subprotocol', 'B25', 'our subprotocols that the peer offers is agreed on'],
  ['the 101 has the fields of middleware', 'B25', 'fields and cookies that middleware and guards set'],
  ['an upgrade elsewhere has an HTTP answer', 'P40', 'is answered with'],
  ['what would break out of its field', 'P27', 'what would break out of its field is refused'],
  ['HEAD has the head of GET', 'P16', 'HEAD is answered by the GET route'],
  ['silence longer than the timeouts', 'B7', 'streams outlive the timeouts'],
  ['Origin is not made up', 'P9', 'never one that was not'],
  ['Origin is checked by default', 'P9', '(RFC 6455 §10.2) by default'],
  ['what open returns', 'B13', "from an event source's open and from info"],
  ['what a socket returns', 'P42', 'what a handler returns is sent'],
  ['nothing is left of a connection', 'P32', 'no timer, no listener is left'],
  ['HEAD starts no stream', 'P16', 'opens nothing, and has the head of GET'],
]

/** Every string in the tests that begins with the numbers of rows: each with a colon, a comma or a slash behind it. */
const titles = readdirSync(join(root, 'test'), { recursive: true, encoding: 'utf8' })
  .filter(path => path.endsWith('.test.ts'))
  .flatMap(path => readFileSync(join(root, 'test', path), 'utf8').match(/(?<=['"`])[PB]\d+[:/,].*/g) ?? [])

describe("B35: the ancestors' missing suite", () => {
  test('B35: each row has a test that is named after it', () =>
    assert.deepEqual(
      rows.filter(row => !titles.some(title => names(title).includes(row))),
      [],
    ))

  for (const [trap, row, words] of traps) {
    test(`B35: each trap has its test: ${trap}`, () =>
      assert.ok(titles.some(title => names(title).includes(row) && title.includes(words))))
  }
})

/** The rows that a title begins with. */
function names(title: string): string[] {
  return /^([PB]\d+(\/\d[\d.]*)?[:/,] ?)+/.exec(title)?.[0].match(/[PB]\d+/g) ?? []
}
