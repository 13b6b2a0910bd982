/** SIGTERM and SIGINT, from the outside: programs of their own, and peers that watch them go. */
import assert from 'node:assert/strict'
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { type TestContext, test } from 'node:test'
import { SocketPeer, StreamPeer } from '../support/peers.js'

interface Program {
  readonly child: ChildProcess
  readonly ports: readonly [number, number]
  /** Its exit code and the signal that killed it, whichever there was. */
  readonly ended: Promise<unknown[]>
}

async function run(t: TestContext): Promise<Program> {
  const child = fork(new URL('../support/signal-app.js', import.meta.url), {
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  })
  const ended = once(child, 'exit')
  t.after(() => child.kill('SIGKILL'))
  const [{ ports }] = await Promise.race([once(child, 'message'), ended.then(() => assert.fail('it did not start'))])
  return { child, ports, ended }
}

for (const signal of ['SIGTERM', 'SIGINT'] as const) {
  test(`${signal}: streams and sockets hear goodbye, requests in flight are answered, and the exit code is 0`, async t => {
    const { child, ports, ended } = await run(t)
    const streams = await Promise.all(ports.map(port => StreamPeer.open(port, '/events')))
    const sockets = await Promise.all(ports.map(port => SocketPeer.open(port, '/socket')))
    const slow = await StreamPeer.ask(ports[0], '/slow')
    await once(child, 'message')
    child.kill(signal)
    for (const stream of streams) {
      const { text, whole } = await stream.end()
      assert.match(text, /^retry: \d+\n\n$/)
      assert.equal(whole, true)
    }
    for (const socket of sockets) assert.deepEqual(await socket.closed, { code: 1012, text: '' })
    assert.equal((await slow.end()).text, 'slow but sure')
    assert.deepEqual(await ended, [0, null])
  })
}

for (const second of ['SIGTERM', 'SIGINT'] as const) {
  test(`SIGTERM, then ${second}: the second ends the program at once, with 1`, async t => {
    const { child, ports, ended } = await run(t)
    const stream = await StreamPeer.open(ports[1], '/events')
    const never = await StreamPeer.ask(ports[0], '/never')
    await once(child, 'message')
    child.kill('SIGTERM')
    assert.equal((await stream.end()).whole, true)
    child.kill(second)
    assert.deepEqual(await ended, [1, null])
    await never.end()
    assert.equal(never.raw.received, '')
  })
}
