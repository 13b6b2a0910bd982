import assert from 'node:assert/strict'
import { at, dataOf, message } from './listening-node.js'
import type { Subject } from './subject.js'

/** What is appended with a key. */
export function testKeys(subject: Subject, nodes: boolean): void {
  subject.node('what is appended with a key is kept once, and each time its place is that of the first', async node => {
    const first = await node.log.append(message(['a'], 1), 'key')
    await node.log.append(message(['a'], 2))
    const again = await Promise.all([1, 2].map(() => node.log.append(message(['b', 'a'], 'again'), 'key')))
    const other = await Promise.all([1, 2].map(() => node.log.append(message(['a'], 3), 'other')))
    await node.log.append(message(['a'], 4))
    assert.deepEqual(again, [first, first])
    assert.deepEqual(other[0], other[1])
    assert.deepEqual(dataOf(await node.hears(4)), [1, 2, 3, 4])
    assert.deepEqual(Object.keys(node.entries[0] ?? {}).sort(), ['data', 'event', 'except', 'position', 'rooms'])
    assert.deepEqual(dataOf((await node.log.read(at({ a: 0 }), 10)).entries), [1, 2, 3, 4])
  })

  if (!nodes) return
  subject.nodes('… by whichever node it is appended, and whenever that came', async opened => {
    const [one, two] = await opened.pair()
    const sent = [one, two].flatMap(({ log }) => [1, 2].map(n => log.append(message(['a'], n), 'key')))
    const [first, ...others] = await Promise.all(sent)
    for (const other of others) assert.deepEqual(other, first)
    const later = await opened.log()
    assert.deepEqual(await later.append(message(['a'], 3), 'key'), first)
    await one.log.append(message(['a'], 'last'))
    for (const node of [one, two]) assert.deepEqual(dataOf(await node.hears(2)).at(-1), 'last')
  })
}
