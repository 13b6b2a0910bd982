/** Raw sockets that read into one shared buffer, so that the load itself costs little. */
import { connect } from 'node:net'
import { platform } from 'node:process'
import { connect as connectSecure } from 'node:tls'
import { HOST } from '../fixtures.js'

const shared = Buffer.allocUnsafeSlow(256 * 1024)

/**
 * A crowd calls from several addresses in turn: from each there are 28,000 ports, and a connection that has ended keeps
 * its own for a minute. Linux has all of 127.0.0.0/8; elsewhere there is one.
 */
const addresses = platform === 'linux' ? Array.from({ length: 8 }, (_, index) => `127.0.0.${index + 1}`) : [HOST]
let called = 0

export function nextAddress() {
  return addresses[called++ % addresses.length]
}

/**
 * Opens a socket; `onData(buffer, length)` is called with what comes, valid until it returns.
 * @param localAddress from where
 */
export function open(port, onData, onClose = () => {}, { secure = false, localAddress } = {}) {
  return new Promise((resolve, reject) => {
    if (secure) return openSecure(port, onData, onClose, resolve, reject)
    const onread = {
      buffer: shared,
      callback(length, buffer) {
        onData(buffer, length)
        return true
      },
    }
    const socket = connect({ port, host: HOST, localAddress, noDelay: true, onread }, () => resolve(socket))
    socket.on('error', reject)
    socket.on('close', onClose)
  })
}

function openSecure(port, onData, onClose, resolve, reject) {
  const socket = connectSecure({ port, host: HOST, rejectUnauthorized: false }, () => resolve(socket))
  socket.setNoDelay(true)
  socket.on('data', bytes => onData(bytes, bytes.length))
  socket.on('error', reject)
  socket.on('close', onClose)
}

/** Runs `make(index)` for all, some at a time, so that no backlog overflows. */
export async function manyAtOnce(count, make, atOnce = 100) {
  const made = []
  let next = 0
  const work = async () => {
    while (next < count) made.push(await make(next++))
  }
  await Promise.all(Array.from({ length: Math.min(atOnce, count) }, work))
  return made
}

/** The median and the 99th percentile. */
export function percentiles(values) {
  const sorted = Float64Array.from(values).sort()
  const at = share => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0
  return { p50: at(0.5), p99: at(0.99) }
}
