import assert from 'node:assert/strict'
import { execFile, execFileSync } from 'node:child_process'
import { chmodSync, closeSync, fstatSync, openSync, truncateSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { promisify } from 'node:util'
import { Controller, file, Get, Param, serveFiles } from '../../src/index.js'
import { eventually } from '../support/eventually.js'
import { folderOf, descriptorsOf as openDescriptorsOf, writeOld } from '../support/folder.js'
import { RawPeer } from '../support/raw-peer.js'
import { send } from '../support/send.js'
import { serveSuite } from '../support/serve.js'

const MIB = 1_048_576
const root = folderOf({ 'large.bin': Buffer.alloc(64 * MIB, 'x'), 'locked.txt': 'SECRET' })
const at = (name: string) => join(root, name)
chmodSync(at('locked.txt'), 0)
execFileSync('mkfifo', [at('pipe')])

@Controller()
class Files {
  @Get('/in/:name') show(@Param('name') name: string) {
    return file(name, { root })
  }
}

const descriptorsOf = (name: string) => openDescriptorsOf(at(name))

const get = (path: string, headers = '') => `GET ${path} HTTP/1.1\r\nHost: a\r\n${headers}\r\n`

describe('P19: a file and its peer', () => {
  const served = serveSuite({ controllers: [Files] }, { use: [serveFiles('/files', root)] })
  const paths = ['/in/large.bin', '/files/large.bin']

  for (const path of paths) {
    test(`${path}: the file is closed when its peer leaves in the middle`, async () => {
      for (const leave of ['destroy', 'reset'] as const) {
        const peer = await RawPeer.connect(served.port)
        await peer.write(get(path))
        await peer.readUntil('\r\n\r\nx')
        assert.equal(descriptorsOf('large.bin'), 1)
        peer[leave]()
        await eventually(`the file is closed after ${leave}`, () => descriptorsOf('large.bin') === 0)
      }
    })

    test(`${path}: a peer that does not read is waited for, not read ahead of`, async () => {
      const before = process.memoryUsage().arrayBuffers
      const peers = await Promise.all(Array.from({ length: 20 }, () => RawPeer.connect(served.port)))
      await Promise.all(peers.map(peer => peer.write(get(path))))
      await Promise.all(peers.map(peer => peer.readUntil('\r\n\r\nx')))
      for (const peer of peers) peer.pause()
      await eventually('all are being sent', () => descriptorsOf('large.bin') === peers.length)
      assert.ok(process.memoryUsage().arrayBuffers - before < 64 * MIB)
      for (const peer of peers) peer.destroy()
      await eventually('all are closed', () => descriptorsOf('large.bin') === 0)
    })

    test(`${path}: one that became shorter while it was sent is cut: the peer knows that it has not got it whole`, async () => {
      writeOld(at('shrinking.bin'), Buffer.alloc(32 * MIB, 'x'))
      const peer = await RawPeer.connect(served.port)
      await peer.write(get(path.replace('large', 'shrinking')))
      const head = await peer.readUntil('\r\n\r\n')
      peer.pause()
      truncateSync(at('shrinking.bin'), MIB)
      peer.resume()
      await peer.closed
      const length = Number(/Content-Length: (\d+)/.exec(head)?.[1])
      assert.equal(length, 32 * MIB)
      assert.ok(peer.received.length < length)
      assert.match(String(served.log.at(-1)?.details), /shrinking\.bin became shorter while it was sent/)
      assert.equal(descriptorsOf('shrinking.bin'), 0)
    })

    test(`${path}: one that became longer is sent as long as was said, and the connection goes on`, async () => {
      writeOld(at('growing.bin'), Buffer.alloc(MIB, 'x'))
      const peer = await RawPeer.connect(served.port)
      await peer.write(get(path.replace('large', 'growing')))
      await peer.readUntil('\r\n\r\n')
      truncateSync(at('growing.bin'), 2 * MIB)
      assert.equal(await peer.readBytes(MIB), 'x'.repeat(MIB))
      await peer.write(get(path, 'Range: bytes=0-1\r\nConnection: close\r\n'))
      await peer.closed
      assert.match(peer.received, /^HTTP\/1\.1 206 [\s\S]*\r\n\r\nxx$/)
    })

    test(`${path}: what is answered without it leaves it closed`, async () => {
      const { headers } = await send(served.port, `HEAD ${path}`)
      const etag = String(headers.etag)
      for (const given of [{ 'If-None-Match': etag }, { 'If-Match': '"x"' }, { Range: 'bytes=99999999-' }])
        await send(served.port, `GET ${path}`, { headers: given })
      await eventually('it is closed', () => descriptorsOf('large.bin') === 0)
    })

    test(`${path}: a pipe is no file, and is not waited for`, async () =>
      assert.equal((await send(served.port, `GET ${path.replace('large.bin', 'pipe')}`)).status, 404))

    test(`${path}: one that may not be read is 404 for the peer; the log is told`, async () => {
      // Whoever runs the tests as root could read it.
      const wasRoot = process.geteuid?.() === 0
      if (wasRoot) {
        chmodSync(root, 0o755)
        process.seteuid?.(65_534)
      }
      try {
        const { status, json } = await send(served.port, `GET ${path.replace('large.bin', 'locked.txt')}`)
        assert.equal(status, 404)
        assert.deepEqual(json(), { type: 'about:blank', title: 'Not Found', status: 404 })
      } finally {
        if (wasRoot) process.seteuid?.(0)
      }
      assert.match(String((served.log.at(-1)?.details as Error | undefined)?.cause), /EACCES/)
    })
  }

  test('where the process has no descriptors left it is 503, and then all is well again', async () => {
    const program = join(import.meta.dirname, 'no-descriptors.js')
    const { stdout } = await promisify(execFile)('/bin/sh', [
      '-c',
      `ulimit -n 128; exec "${process.execPath}" "${program}"`,
    ])
    assert.deepEqual(JSON.parse(stdout), { full: 503, retryAfter: '1', served: 503, freed: 200 })
  })

  test('descriptors are counted as this test counts them', () => {
    const fd = openSync(at('large.bin'), 'r')
    assert.equal(descriptorsOf('large.bin'), 1)
    assert.equal(fstatSync(fd).size, 64 * MIB)
    closeSync(fd)
  })
})
