import type { AddressInfo } from 'node:net'
import { ConfigurationError } from '../errors.js'
import type { Handlers } from './handlers.js'
import { type ListenAddress, Listener, type ListenerLimits } from './listener.js'
import { protocolProblems } from './protocols.js'
import { type TlsOptions, tlsProblems } from './tls.js'

/** Where an application listens: any number of addresses, each with the protocols of its own. */
export class Listeners {
  readonly #open: Listener[] = []
  #isClosed = false

  constructor(
    private readonly limits: ListenerLimits,
    private readonly handlers: Handlers,
    private readonly failed: (error: Error) => void,
  ) {}

  get addresses(): readonly (AddressInfo | string)[] {
    return this.#open.map(listener => listener.address)
  }

  /** Whether the first one speaks TLS. */
  get isSecure(): boolean {
    return this.#open[0]?.tls !== undefined
  }

  /** @throws AddressInUseError, or ConfigurationError for a certificate that cannot be used */
  async open(address: ListenAddress): Promise<AddressInfo | string> {
    refuse(protocolProblems('listen', address))
    const listener = await Listener.open(address, this.limits, this.handlers, this.failed)
    if (!this.#isClosed) {
      this.#open.push(listener)
      return listener.address
    }
    await listener.close()
    throw new Error('the application is closed')
  }

  /** Gives all that speak TLS another certificate: what is not given stays. @throws ConfigurationError, and none has changed */
  renew(tls: TlsOptions): void {
    const secure = this.#open.filter(listener => listener.tls !== undefined)
    if (secure.length === 0)
      throw new ConfigurationError(['renewTls: no listener speaks TLS: give tls to bootstrap, or to listen'])
    const renewed = secure.map(listener => ({ listener, tls: { ...listener.tls, ...tls } }))
    refuse(renewed.flatMap(each => tlsProblems('renewTls', each.tls)))
    for (const each of renewed) each.listener.renew(each.tls)
  }

  /** The requests that are being answered are the last of their connections. */
  leave(): void {
    for (const listener of this.#open) listener.leave()
  }

  /** Stops accepting; settles when the last connection is gone. */
  async close(): Promise<void> {
    this.#isClosed = true
    await Promise.all(this.#open.map(listener => listener.close()))
  }

  /** Ends every connection now. */
  async destroy(): Promise<void> {
    await Promise.all(this.#open.map(listener => listener.destroy()))
  }
}

function refuse(problems: readonly string[]): void {
  if (problems.length > 0) throw new ConfigurationError([...new Set(problems)])
}
