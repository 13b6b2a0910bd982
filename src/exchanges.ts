/** What the serve files are given of an application: where instances come from, and who writes replies. */
import type { Blueprint } from './blueprint.js'
import type { Connection, ConnectionHandlers } from './connections/connection.js'
import type { LiveConnections } from './connections/live.js'
import type { ConnectionServing } from './connections/serving.js'
import type { Class, Token } from './declare/metadata.js'
import type { UploadOptions } from './declare/uploads.js'
import { bodyOpener } from './http/body.js'
import { refuse, sendReply } from './http/reply.js'
import type { Logger } from './logger.js'
import { Upgrade } from './pipeline/reply.js'
import type { RequestContext } from './pipeline/request-context.js'
import type { Fail } from './pipeline/serving.js'
import type { Compiled } from './server/compile.js'
import { upgradeRequired } from './websocket/upgrade.js'
import type { Container } from './wiring/container.js'
import { resolveAlias } from './wiring/graph.js'

/** The parts of an application that exchanges meet. */
export interface Parts {
  readonly blueprint: Blueprint
  readonly container: Container
  readonly live: LiveConnections<Connection>
  readonly logger: Logger
  readonly uploads: UploadOptions | undefined
  /** The compiled routes, when there are any: they are compiled with what is made here. */
  readonly compiled: () => Compiled | undefined
}

export function serveWith({ blueprint, container, live, logger, uploads, compiled }: Parts): ConnectionServing {
  const refuseIt = (context: RequestContext, error: unknown) => refuse(context, error, logger)
  return {
    logger,
    live,
    problems: [],
    openBody: bodyOpener(uploads),
    resolve: <T>(token: Class<T>) => container.get<T>(token as Token<T>),
    isMade: token => resolveAlias(token, blueprint.definitions)?.scope === 'singleton',
    construct(owner) {
      const make = container.construct(owner as Class, blueprint.needs.get(owner) ?? [])
      return connection => make(connection) as ConnectionHandlers
    },
    refuse: refuseIt,
    reply(context, value, fail = error => refuseIt(context, error)) {
      if (value instanceof Upgrade) upgrade(context, value, compiled()?.upgrades, fail)
      else sendReply(context, value, logger, fail)
    },
  }
}

/** A `@Get` handler has answered with an upgrade: the rest of the exchange is the socket's. */
function upgrade(
  context: RequestContext,
  { to }: Upgrade,
  upgrades: Compiled['upgrades'] | undefined,
  fail: Fail,
): void {
  const serve = upgrades?.get(to)
  if (context.upgradeHead === undefined) return fail(upgradeRequired(context.request))
  if (serve === undefined)
    return fail(new Error(`${context.route.name} upgrades to ${to.name}, which it does not list`))
  serve(context)
}
