import type { IncomingHttpHeaders } from 'node:http'
import type { Route } from '../routing/table.js'
import { type Carrier, Context, type Handshake, type Params, type QueryValues, type State } from './context.js'

/** What a message's context needs of its connection. @internal */
export interface MessageSource extends Carrier {
  readonly handshake: Handshake
}

/** The context of one `@On` message. `get` sees what the opening's guards left; what is `set` stays with the connection. */
export class MessageContext extends Context {
  constructor(
    route: Route,
    readonly connection: MessageSource,
    readonly event: string,
    /** As the peer sent it, for guards; then as the schema of `@On` read it. */
    public data: unknown,
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

  get signal(): AbortSignal {
    return this.connection.signal
  }

  get state(): State | undefined {
    return this.connection.state
  }

  openState(): State {
    this.connection.state ??= new Map()
    return this.connection.state
  }
}
