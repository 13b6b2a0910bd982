import type { IncomingHttpHeaders } from 'node:http'
import type { Route } from '../routing/table.js'
import { type AskedFor, type Carrier, Context, type Params, type QueryValues, type State } from './context.js'

/** What a context needs of its connection. */
export interface ConnectionSource extends Carrier {
  readonly asked: AskedFor
  readonly remoteAddress: string | undefined
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
    return this.connection.asked.method
  }

  get path(): string {
    return this.connection.asked.path
  }

  get params(): Params {
    return this.connection.asked.params
  }

  get query(): QueryValues {
    return this.connection.asked.query
  }

  get headers(): Readonly<IncomingHttpHeaders> {
    return this.connection.asked.headers
  }

  get remoteAddress(): string | undefined {
    return this.connection.remoteAddress
  }

  get protocol(): 'http' | 'https' {
    return this.connection.asked.protocol
  }

  get host(): string | undefined {
    return this.connection.asked.host
  }

  get id(): string | undefined {
    return this.connection.asked.id
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
