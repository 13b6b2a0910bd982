import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { Application, Controller, formatRoutes, Get, Injectable, type OnStart } from '../../src/index.js'
import { serve } from '../support/apps.js'
import { send } from '../support/send.js'

@Injectable()
class Boss implements OnStart {
  connections = -1
  constructor(readonly app: Application) {}
  onStart() {
    this.connections = this.app.connections
  }
}

@Controller('/table')
class Table {
  constructor(private readonly app: Application) {}
  @Get() show() {
    return formatRoutes(this.app.routes)
  }
}

describe('the application itself', () => {
  test('is given to those who ask for it by its type, and is not listed', async t => {
    const app = await serve(t, { controllers: [Table], providers: [Boss] })
    assert.equal(app.get(Boss).app, app)
    assert.equal(app.get(Application), app)
    assert.equal(app.get(Boss).connections, 0)
    assert.equal((await send(app.port, 'GET /table')).text, 'GET  /table  Table.show')
  })

  test('of two in one process, each class gets its own', async t => {
    const apps = [await serve(t, { providers: [Boss] }), await serve(t, { providers: [Boss] })]
    for (const app of apps) assert.equal(app.get(Boss).app, app)
    assert.notEqual(apps[0], apps[1])
  })
})
