import type { Route } from '../routing/table.js'
import { ConnectionContext, type ConnectionSource } from './connection-context.js'

/** The context of one `@On` message. `get` sees what the opening's guards left; what is `set` stays with the connection. */
export class MessageContext extends ConnectionContext {
  /** @internal */
  constructor(
    route: Route,
    connection: ConnectionSource,
    /** The name of the event. */
    readonly event: string,
    /** As the peer sent it, for guards; then as the schema of `@On` read it. */
    public data: unknown,
  ) {
    super(route, connection)
  }
}
