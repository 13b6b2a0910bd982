import assert from 'node:assert/strict'
import { readdirSync } from 'node:fs'
import { test } from 'node:test'
import { Controller, Ctx, File, Files, Post, type RequestContext, type Upload, type Uploads } from '../../src/index.js'
import { eventually } from '../support/eventually.js'
import { activeHandles, noHandlesLeft } from '../support/handles.js'
import { body, post, postHead, temporaryDirectory, upload } from '../support/multipart.js'
import { RawPeer } from '../support/raw-peer.js'
import { serve } from '../support/serve.js'

const ABORTS = 100

const temporary = await temporaryDirectory()
const kept = await temporaryDirectory()
const descriptors = () => (process.platform === 'linux' ? readdirSync('/proc/self/fd').length : 0)

let arrived = 0
const rejected: unknown[] = []
const contexts: RequestContext[] = []

@Controller()
class Aborted {
  @Post('/file')
  file(@File('f') _: Upload) {
    return 'whole'
  }
  @Post('/memory')
  memory(@File('f', { to: 'memory' }) _: Upload) {
    return 'whole'
  }
  @Post('/stream')
  async stream(@Files({ to: 'stream' }) uploads: Uploads, @Ctx() context: RequestContext) {
    arrived++
    contexts.push(context)
    try {
      for await (const each of uploads) await each.moveTo(`${kept.path}/${arrived}`)
    } catch (error) {
      rejected.push(error)
      throw error
    }
    return 'whole'
  }
}

const form = body([upload('f', 'x', Buffer.alloc(400_000, 'x'))])
const cuts = [0, 40, 150, 70_000, 399_000, form.length - 10]

test('P18: uploads that a deadline cuts leave no file, and their handlers hear of it', async t => {
  const { port, app } = await serve(t, { controllers: [Aborted] }, { uploads: { directory: temporary.path } })
  rejected.length = 0
  arrived = 0
  const peers = await Promise.all(
    ['/file', '/stream', '/memory'].map(async path => {
      const peer = await RawPeer.connect(port)
      await peer.write(postHead(path, `Content-Length: ${form.length}`))
      await peer.write(form.subarray(0, 200_000))
      return peer
    }),
  )
  await eventually('they are under way', () => arrived === 1 && temporary.list().length === 1)
  await app.close({ deadline: 20 })
  for (const peer of peers) await peer.closed
  await eventually('the handler heard of it', () => rejected.length === 1)
  await eventually('no file is left', () => temporary.list().length === 0)
  rejected.length = 0
})

test('P18: 100 aborted uploads leave no file, no descriptor and no listener', async t => {
  const options = { uploads: { directory: temporary.path } }
  const { port, log, app } = await serve(t, { controllers: [Aborted] }, options)
  for (const path of ['/file', '/memory', '/stream']) assert.equal((await post(port, path, form)).text, 'whole')
  await eventually('no temporary file', () => temporary.list().length === 0)
  await eventually('the connections are gone', () => activeHandles().TCPSocketWrap === undefined)
  const before = {
    handles: activeHandles(),
    descriptors: descriptors(),
    kept: kept.list(),
    exits: process.listenerCount('exit'),
  }
  arrived = 0

  let streamed = 0
  for (let index = 0; index < ABORTS; index++) {
    const path = ['/file', '/memory', '/stream'][index % 3] as string
    const cut = cuts[index % cuts.length] as number
    const peer = await RawPeer.connect(port)
    await peer.write(postHead(path, `Content-Length: ${form.length}`))
    await peer.write(form.subarray(0, cut))
    if (path === '/stream' && cut >= 150) {
      streamed++
      await eventually('the handler is called', () => arrived === streamed)
    }
    if (path === '/file' && cut > 150) await eventually('the file is there', () => temporary.list().length > 0)
    if (index % 2 === 0) peer.reset()
    else peer.destroy()
    await peer.closed
    await eventually('no temporary file', () => temporary.list().length === 0)
  }

  await eventually('every handler heard of it', () => rejected.length === streamed)
  assert.ok(streamed > 10)
  assert.ok(rejected.every(error => (error as Error).message === 'the body was cut off'))
  assert.deepEqual(kept.list(), before.kept)
  await noHandlesLeft(before.handles)
  await eventually('no descriptor', () => descriptors() <= before.descriptors)
  assert.equal(process.listenerCount('exit'), before.exits)
  for (const { request } of contexts.slice(1))
    for (const name of ['data', 'end', 'error']) assert.equal(request.listenerCount(name), 0, name)
  assert.equal(app.connections, 0)
  assert.deepEqual(log, [])
})
