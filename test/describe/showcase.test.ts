import assert from 'node:assert/strict'
import { test } from 'node:test'
import { readRoutes } from 'palomino'
import { asyncapi, openapi } from 'palomino/describe'
import { Showcase } from '../../examples/showcase.js'
import { checkAsync, checkOpenApi } from '../support/documents.js'

const info = { title: 'The showcase', version: '1.0.0' }
const routes = readRoutes(Showcase)

for (const version of ['3.1', '3.2'] as const) {
  test(`the showcase has a valid OpenAPI ${version} document`, () =>
    checkOpenApi(openapi(routes, info, { openapi: version })))
}

test('the showcase has a valid AsyncAPI document', () => {
  const document = asyncapi(routes, info)
  checkAsync(document)
  assert.equal(document.channels.Remote?.address, '/slides/talks/{talk}/remote')
})
