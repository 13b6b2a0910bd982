/** P1: B1: several listeners of one application, Unix sockets among them. */
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdtemp, rm, stat, writeFile } from 'node:fs/promises'
import { createServer, request } from 'node:http'
import { type AddressInfo, connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, type TestContext, test } from 'node:test'
import { promisify } from 'node:util'
import { WebSocket as Peer } from 'ws'
import { AddressInUseError, Application, bootstrap, Controller, Get, Injectable } from '../../src/index.js'
import { activeHandles, noHandlesLeft } from '../support/handles.js'
import { Echo, Events } from '../support/hello.js'
import { send } from '../support/send.js'
import { moduleOf, serve } from '../support/serve.js'

@Controller()
class Hello {
  @Get() hello() {
    return 'hello'
  }
}

const controllers = [Hello, Events, Echo]

test('nothing listens before the application has started: a request would meet nobody, and end the process', async t => {
  const refused: string[] = []
  @Injectable()
  class Early {
    constructor(private readonly app: Application) {}
    async onStart() {
      const server = createServer()
      t.after(() => server.close())
      const listening = this.app.listen({ port: 0, host: '127.0.0.1' })
      const asked = listening.then(address => send((address as AddressInfo).port, 'GET /'))
      await asked.catch((error: Error) => refused.push(error.message))
      try {
        this.app.attach(server)
      } catch (error) {
        refused.push((error as Error).message)
      }
    }
  }
  const { port } = await serve(t, { controllers: [Hello], providers: [Early] })
  const why = 'the application has not started: do it when bootstrap has resolved'
  assert.deepEqual(refused, [`listen: ${why}`, `attach: ${why}`])
  assert.equal((await send(port, 'GET /')).text, 'hello')
})

async function folder(t: TestContext) {
  const path = await mkdtemp(join(tmpdir(), 'palomino-'))
  t.after(() => rm(path, { recursive: true, force: true }))
  return path
}

/** An event stream over a Unix socket: its first event, and whether it ended as it should. */
function stream(socketPath: string) {
  const heard = { text: '', opened: () => {} }
  const opened = new Promise<void>(resolve => (heard.opened = resolve))
  const ended = new Promise<string>((resolve, reject) => {
    request({ socketPath, path: '/events', agent: false }, response => {
      response.setEncoding('utf8').on('data', text => {
        heard.text += text
        if (heard.text.includes('hello')) heard.opened()
      })
      response.on('error', reject).on('end', () => resolve(heard.text))
    })
      .on('error', reject)
      .end()
  })
  return { opened, ended }
}

test('P1: B1: two ports and a Unix socket at once, all of them closed by close', async t => {
  const handles = activeHandles()
  const path = join(await folder(t), 'app.sock')
  const app = await bootstrap(moduleOf({ controllers }), { port: '0', host: '127.0.0.1' })
  const second = (await app.listen({ port: 0, host: '127.0.0.1' })) as AddressInfo
  assert.equal(await app.listen({ path }), path)
  assert.deepEqual(app.addresses.slice(1), [second, path])
  const ports = [app.port, second.port]
  assert.notEqual(ports[0], ports[1])
  assert.equal(app.url, `http://127.0.0.1:${app.port}`)
  for (const port of ports) assert.equal((await send(port, 'GET /')).text, 'hello')
  assert.equal((await send(0, 'GET /', { socketPath: path })).text, 'hello')

  const { opened, ended } = stream(path)
  await opened
  const socket = new Peer(`ws+unix://${path}:/echo`)
  const closed = new Promise<number>(resolve => socket.on('close', resolve))
  const echoed = new Promise<string>(resolve => socket.on('message', data => resolve(String(data))))
  socket.on('open', () => socket.send('hi'))
  assert.equal(await echoed, 'hi')
  assert.equal(app.connections, 2)

  await app.close()
  assert.match(await ended, /^data: hello\n\nretry: \d+\n\n$/, 'drained as those of a port are')
  assert.equal(await closed, 1012)
  assert.ok(!existsSync(path), 'the file is gone')
  for (const port of ports) await assert.rejects(send(port, 'GET /'), { code: 'ECONNREFUSED' })
  await noHandlesLeft(handles)
})

test('P1: a listener that cannot be opened does not harm the others', async t => {
  const { app, port } = await serve(t, { controllers })
  await assert.rejects(app.listen({ port, host: '127.0.0.1' }), AddressInUseError)
  assert.equal(app.addresses.length, 1)
  assert.equal((await send(port, 'GET /')).text, 'hello')
})

test('P1: a closed application listens no more', async t => {
  const path = join(await folder(t), 'app.sock')
  const { app } = await serve(t, { controllers })
  await app.close()
  await assert.rejects(app.listen({ path }), /^Error: the application is closed$/)
  assert.ok(!existsSync(path))
})

describe('the file of a Unix socket', () => {
  /** A process that listens, and is killed. */
  async function stale(path: string) {
    const program = `require('node:net').createServer().listen(${JSON.stringify(path)}, () => process.kill(process.pid, 'SIGKILL'))`
    await promisify(execFile)(process.execPath, ['--eval', program]).catch(() => {})
    assert.ok((await stat(path)).isSocket())
  }

  test('that a killed process left behind is replaced', async t => {
    const path = join(await folder(t), 'app.sock')
    await stale(path)
    const { app } = await serve(t, { controllers }, { path })
    assert.equal((await send(0, 'GET /', { socketPath: path })).text, 'hello')
    await app.close()
    assert.ok(!existsSync(path))
  })

  test('on which somebody listens is theirs', async t => {
    const path = join(await folder(t), 'app.sock')
    await serve(t, { controllers }, { path })
    const before = await stat(path)
    await assert.rejects(bootstrap(moduleOf({ controllers }), { path }), AddressInUseError)
    assert.equal((await stat(path)).ino, before.ino)
    assert.equal((await send(0, 'GET /', { socketPath: path })).text, 'hello')
  })

  test('is never an ordinary file', async t => {
    const path = join(await folder(t), 'app.sock')
    await writeFile(path, 'precious')
    await assert.rejects(bootstrap(moduleOf({ controllers }), { path }), AddressInUseError)
    assert.equal((await stat(path)).size, 8)
  })

  test('in a folder that is not there is an error that says so', async t => {
    const path = join(await folder(t), 'none', 'app.sock')
    await assert.rejects(bootstrap(moduleOf({ controllers }), { path }), { code: 'EACCES' })
  })
})

test('P2: peers of a Unix socket have no address, so that a limit by address does not count them', async t => {
  const path = join(await folder(t), 'app.sock')
  await serve(t, { controllers }, { path, maxConnectionsPerAddress: 1 })
  const idle = connect(path)
  await new Promise(resolve => idle.once('connect', resolve))
  assert.equal((await send(0, 'GET /', { socketPath: path })).text, 'hello')
  idle.destroy()
})
