import type { IncomingHttpHeaders } from 'node:http'
import type { Route } from '../routing/table.js'
import { type Carrier, Context, type Handshake, type Params, type QueryValues, type State } from './context.js'

/** What a context needs of its connection. */
export interface ConnectionSource extends Carrier {
  readonly handshake: Handshake
}

/** The context of an open connection: what it keeps of its opening, and the state that it goes on with. */
export class ConnectionContext extends Context {
  /** @internal */
  constructor(
    route: Route,
    /** @internal */
    readonly connection: ConnectionSource,
  ) {
    super(route)
  }

  get method(): string {
    return this.connection.handshake.method
  }

  get path(): string {
    return this.connection.handshake.path
  }

  get params(): Params {
    return this.connection.handshake.params
  }

  get query(): QueryValues {
    return this.connection.handshake.query
  }

  get headers(): Readonly<IncomingHttpHeaders> {
    return this.connection.handshake.headers
  }

  get remoteAddress(): string | undefined {
    return this.connection.handshake.remoteAddress
  }

  get protocol(): 'http' | 'https' {
    return this.connection.handshake.protocol
  }

  get host(): string | undefined {
    return this.connection.handshake.host
  }

  get id(): string | undefined {
    return this.connection.handshake.id
  }

  get signal(): AbortSignal {
    return this.connection.signal
  }

  /** @internal */
  get state(): State | undefined {
    return this.connection.state
  }

  /** @internal */
  openState(): State {
    this.connection.state ??= new Map()
    return this.connection.state
  }
}
