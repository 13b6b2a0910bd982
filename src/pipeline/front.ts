import type { IncomingMessage } from 'node:http'
import type { TLSSocket } from 'node:tls'
import type { VersionReader } from '../routing/versioning.js'
import { addressOf } from './lane-close.js'

/** How an exchange looks from where its peer stands: in front of the proxies that are trusted. */
export interface Sight {
  readonly remoteAddress: string | undefined
  readonly protocol: 'http' | 'https'
  readonly host: string | undefined
  /** Whether a proxy told the protocol. Where none did, and the connection is plain, there may be one that ends TLS. */
  readonly isProtocolTold: boolean
}

/** What is known of an exchange before its route is. */
export class Front implements Sight {
  /** Names the exchange in logs, where the application asks for that. */
  id: string | undefined
  /** Why it goes no further. */
  problem: Error | undefined
  /** What a trusted proxy told in place of what the connection shows. */
  told: Sight | undefined

  constructor(
    private readonly request: IncomingMessage,
    private readonly versions: VersionReader | undefined,
  ) {}

  get remoteAddress(): string | undefined {
    return this.told === undefined ? addressOf(this.request.socket) : this.told.remoteAddress
  }

  get protocol(): 'http' | 'https' {
    return this.told?.protocol ?? protocolOf(this.request)
  }

  get isProtocolTold(): boolean {
    return this.told?.isProtocolTold ?? false
  }

  get host(): string | undefined {
    return this.told === undefined ? hostOf(this.request) : this.told.host
  }

  get version(): string | undefined {
    return this.versions?.read(this.request.headers)
  }
}

export function protocolOf({ socket }: IncomingMessage): 'http' | 'https' {
  return (socket as Partial<TLSSocket>).encrypted === true ? 'https' : 'http'
}

/** The host that was asked for: the target's own, in its absolute form (RFC 9112 §3.2.2) or as `:authority` (RFC 9113 §8.3.1), before `Host`. */
export function hostOf({ url = '', headers }: IncomingMessage): string | undefined {
  const absolute = url.startsWith('/') ? undefined : /^[a-z][a-z0-9+.-]*:\/\/(?:[^/?#@]*@)?([^/?#]*)/i.exec(url)?.[1]
  const authority = headers[':authority']
  return absolute ?? (typeof authority === 'string' ? authority : headers.host)
}
