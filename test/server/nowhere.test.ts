import assert from 'node:assert/strict'
import { test } from 'node:test'
import { HttpError } from '../../src/index.js'
import { serve } from '../support/app.js'

test('an error mapper is given a 404 of its own for each request, to keep or to change', async t => {
  const seen: HttpError[] = []
  const map = (error: HttpError) => {
    seen.push(error)
    return undefined
  }
  const mapper = { error: HttpError, mapper: map }
  const { port } = await serve(t, [], { errorMappers: [mapper] })
  for (let request = 0; request < 2; request++)
    assert.equal((await fetch(`http://127.0.0.1:${port}/nowhere`)).status, 404)
  assert.equal(seen.length, 2)
  assert.notEqual(seen[0], seen[1])
})

test('a 404 is the same for all where nobody is told of it', async t => {
  const { port, log } = await serve(t, [])
  const answers = await Promise.all([1, 2].map(() => fetch(`http://127.0.0.1:${port}/nowhere`)))
  for (const answer of answers)
    assert.deepEqual(await answer.json(), { type: 'about:blank', title: 'Not Found', status: 404 })
  assert.deepEqual(log.messages, [])
})
