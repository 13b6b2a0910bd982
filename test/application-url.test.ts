import assert from 'node:assert/strict'
import { test } from 'node:test'
import { bootstrap, Module } from '../src/index.js'

@Module({})
class App {}

for (const [host, name] of [
  [undefined, 'localhost'],
  ['127.0.0.1', '127.0.0.1'],
  ['0.0.0.0', 'localhost'],
] as const) {
  test(`an application on ${host ?? 'all addresses'} says where people open it`, async t => {
    const app = await bootstrap(App, { port: 0, ...(host === undefined ? {} : { host }) })
    t.after(() => app.close())
    assert.equal(app.url, `http://${name}:${app.port}`)
    assert.equal((await fetch(`${app.url}/none`)).status, 404)
  })
}

test('an application that does not listen has no address', async t => {
  const app = await bootstrap(App, { listen: false })
  t.after(() => app.close())
  assert.equal(app.url, undefined)
})
