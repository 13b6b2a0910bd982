/** Behind proxies: what the trusted ones tell of the peer, and nothing of what the peer tells itself. */
import type { IncomingMessage } from 'node:http'
import { isIP } from 'node:net'
import type parseForwarded from 'forwarded-parse'
import type proxyAddress from 'proxy-addr'
import { show } from '../declare/options.js'
import { badRequest } from '../errors.js'
import { hostOf, protocolOf, type Sight } from './front.js'
import { lazily } from './lazily.js'

const proxyAddr = lazily<typeof proxyAddress>('proxy-addr')
const forwarded = lazily<typeof parseForwarded>('forwarded-parse')

/**
 * Decides of one address whether it is a trusted proxy. `hop` is 0 for the other end of the connection, 1 for who stands
 * before it. `address` is undefined for the peer of a Unix socket.
 */
export type TrustAddress = (address: string | undefined, hop: number) => boolean

/** `true` for all, how many hops, or which addresses: IP addresses, CIDR ranges, `loopback`, `linklocal`, `uniquelocal`. */
export type TrustProxy = boolean | number | string | readonly string[] | TrustAddress

/** The family of header fields that the proxies write. */
export type ProxyFields = 'x-forwarded' | 'forwarded'

/** What a proxy says of who stands before it. */
interface Hop {
  readonly address: string | undefined
  readonly protocol?: string | undefined
  readonly host?: string | undefined
}

/** Sees an exchange from in front of its trusted proxies; undefined where its connection comes from none. @throws HttpError 400 */
export type SeePast = (request: IncomingMessage) => Sight | undefined

export function trustProblems(trust: unknown): string[] {
  const where = 'bootstrap: trustProxy'
  const expected = `${where} should be true, false, a number of hops, addresses, or a function, not ${show(trust)}`
  if (trust === undefined || typeof trust === 'boolean' || typeof trust === 'function') return []
  if (typeof trust === 'number') return Number.isInteger(trust) && trust >= 0 ? [] : [expected]
  const isList = Array.isArray(trust) && trust.every(each => typeof each === 'string')
  if (typeof trust !== 'string' && !isList) return [expected]
  try {
    proxyAddr().compile(trust as string | string[])
    return []
  } catch (error) {
    return [
      `${where}: ${(error as Error).message}: give IP addresses, CIDR ranges, or loopback, linklocal, uniquelocal`,
    ]
  }
}

/** Undefined where nobody is trusted, so that nothing is read. */
export function seesPast(trust: TrustProxy | undefined, fields: ProxyFields = 'x-forwarded'): SeePast | undefined {
  if (trust === undefined || trust === false || trust === 0) return undefined
  const trusts = compileTrust(trust)
  const readHops = fields === 'forwarded' ? forwardedHops : xForwardedHops
  return request => {
    const { remoteAddress } = request.socket
    if (remoteAddress === undefined && !isUnixPeer(request)) return undefined
    return trusts(remoteAddress, 0) ? walk(request, readHops, trusts) : undefined
  }
}

function compileTrust(trust: Exclude<TrustProxy, false>): TrustAddress {
  if (typeof trust === 'function') return trust
  if (trust === true) return () => true
  if (typeof trust === 'number') return (_address, hop) => hop < trust
  const isListed = remembering(proxyAddr().compile(trust as string | string[]))
  return address => isListed(address ?? LOOPBACK)
}

/** Addresses that are remembered, at the most: parsing one costs as much as all else that is done for a small request. */
const REMEMBERED = 1000

function remembering(isListed: (address: string, hop: number) => boolean): (address: string) => boolean {
  const known = new Map<string, boolean>()
  return address => {
    const answer = known.get(address)
    if (answer !== undefined) return answer
    const found = isListed(address, 0)
    if (known.size === REMEMBERED) known.clear()
    known.set(address, found)
    return found
  }
}

/** Who connects by a Unix socket is on this host. */
const LOOPBACK = '127.0.0.1'

/** A TCP socket that was reset has no remote address either, but it has a local one. */
function isUnixPeer({ socket }: IncomingMessage): boolean {
  return !socket.destroyed && socket.localAddress === undefined
}

/**
 * From the nearest proxy outwards, for as long as each next one is trusted. What stands further out than that was said by
 * somebody who is not, and is not looked at.
 */
function walk(request: IncomingMessage, readHops: ReadHops, trusts: TrustAddress): Sight {
  let seen: Sight = {
    remoteAddress: request.socket.remoteAddress,
    protocol: protocolOf(request),
    host: hostOf(request),
    isProtocolTold: false,
  }
  let hop = 0
  for (const { address, protocol, host } of readHops(request)) {
    hop++
    seen = {
      remoteAddress: address,
      protocol: protocol === undefined ? seen.protocol : readProtocol(protocol),
      host: host === undefined ? seen.host : readHost(host),
      isProtocolTold: seen.isProtocolTold || protocol !== undefined,
    }
    if (address === undefined || !trusts(address, hop)) break
  }
  return seen
}

/** What the proxies say, the nearest first: each is read only when it is reached. */
type ReadHops = (request: IncomingMessage) => Iterable<Hop>

/**
 * `X-Forwarded-For` has an entry of each proxy, the nearest last. The others may have fewer: where one proxy sets them for
 * all, its entry counts for all that stand before it.
 */
function* xForwardedHops({ headers }: IncomingMessage): Iterable<Hop> {
  const addresses = listOf(headers['x-forwarded-for'])
  const protocols = listOf(headers['x-forwarded-proto'])
  const hosts = listOf(headers['x-forwarded-host'])
  for (const address of addresses.length === 0 ? [undefined] : addresses) {
    const protocol = protocols.shift()
    const host = hosts.shift()
    if (address === undefined && protocol === undefined && host === undefined) return
    yield { address: address === undefined ? undefined : readAddress(address), protocol, host }
  }
}

/** The entries of a list, the last first. */
function listOf(field: string | string[] | undefined): string[] {
  const entries = [field ?? []].flat().flatMap(value => value.split(','))
  return entries
    .map(entry => entry.trim())
    .filter(entry => entry !== '')
    .reverse()
}

/** RFC 7239 §4. A field that is broken anywhere may be broken by the peer, so that none of it can be believed. */
function* forwardedHops({ headers }: IncomingMessage): Iterable<Hop> {
  const field = [headers.forwarded ?? []].flat().join(', ')
  if (field === '') return
  for (const { for: address, proto, host } of parseField(field).reverse())
    yield { address: address === undefined ? undefined : readAddress(address), protocol: proto, host }
}

function parseField(field: string): Record<string, string>[] {
  try {
    return forwarded()(field)
  } catch {
    throw malformed('Forwarded')
  }
}

/** An address without its port; undefined for `unknown` and for names that hide it (RFC 7239 §6.2, §6.3). */
function readAddress(node: string): string | undefined {
  if (/^(?:unknown|_[\w.-]+)(?::[\w.-]+)?$/i.test(node)) return undefined
  const [, bracketed, plain] = /^(?:\[([^\]]*)\]|([^:]*))(?::(?:\d{1,5}|_[\w.-]+))?$/.exec(node) ?? []
  const address = bracketed ?? plain ?? node
  if (isIP(address) === 0) throw malformed(`the address '${node.slice(0, 50)}'`)
  return address
}

function readProtocol(name: string): 'http' | 'https' {
  const known = PROTOCOLS[name.toLowerCase()]
  if (known === undefined) throw malformed(`the protocol '${name.slice(0, 50)}'`)
  return known
}

/** Some proxies name the handshake's own scheme. */
const PROTOCOLS: Readonly<Record<string, 'http' | 'https' | undefined>> = Object.assign(Object.create(null), {
  http: 'http',
  https: 'https',
  ws: 'http',
  wss: 'https',
})

function readHost(host: string): string {
  if (!/^(?:\[[\da-f:.]+\]|[\w.-]+)(?::\d{0,5})?$/i.test(host)) throw malformed(`the host '${host.slice(0, 50)}'`)
  return host
}

function malformed(what: string): Error {
  return badRequest(`${what}, as the proxy forwards it, cannot be read`)
}
