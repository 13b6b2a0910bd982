import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Controller, Get, Injectable, On, Sse, WebSocket } from '../../src/index.js'
import { moduleOf } from '../support/apps.js'
import { problemsOf } from '../support/boot-errors.js'
import { serve } from '../support/serve.js'

test('a handler by a name that it has elsewhere is told of when the application starts', async t => {
  @WebSocket('/gateway')
  class Gateway {
    message() {}
    handleConnection() {}
    handleDisconnect() {}
  }
  @WebSocket('/named')
  class Named {
    message() {
      this.onMessage()
    }
    onMessage() {}
    @On('closed') closed() {}
  }
  @Sse('/events')
  class Events {
    open() {}
    message() {}
    onClose() {}
  }
  @Sse('/more')
  class More extends Events {
    close() {}
  }
  @WebSocket('/stateful')
  class Stateful {
    message() {}
    get closed() {
      throw new Error('not to be asked at boot')
    }
  }
  const { log } = await serve(t, { controllers: [Gateway, Named, Events, More, Stateful] })
  const heard = (name: string) =>
    `${name}.message is never called: peers of an event stream say nothing, and what is inside says comes to info`
  assert.deepEqual(
    log.map(({ level, message }) => `${level}: ${message}`),
    [
      'Gateway.handleConnection is never called: the handler is named open',
      'Gateway.handleDisconnect is never called: the handler is named close',
      'Events.onClose is never called: the handler is named close',
      heard('Events'),
      heard('More'),
    ].map(line => `warn: ${line}`),
  )
})

test('a constructor that answers a promise is told of when the application starts', async () => {
  @Injectable()
  class Database {
    constructor() {
      // biome-ignore lint/correctness/noConstructorReturn: the mistake that is told of
      return Promise.reject(new Error('away')) as never
    }
  }
  @Controller('/rows')
  class Rows {
    constructor(readonly database: Database) {}
    @Get() all() {
      return this.database
    }
  }
  assert.deepEqual(await problemsOf(moduleOf({ controllers: [Rows], providers: [Database] })), [
    'the constructor of Database answers a promise: provide { token: Database, useFactory: async () => … }, which is awaited',
  ])
})
