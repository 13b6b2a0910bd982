import { type AbstractClass, findMethod, type ParamSource, paramTypes, type Token } from '../declare/metadata.js'
import { collect } from '../declare/problems.js'
import type { Logger } from '../logger.js'
import { parseHost } from '../routing/host.js'
import { parsePattern } from '../routing/pattern.js'
import type { MessageRow, Route } from '../routing/table.js'
import { type Bind, compileBind, type Parameters } from './bind.js'
import type { Resolve } from './endpoint.js'
import type { RequestContext } from './request-context.js'

/** Runs one exchange to its end; never throws. */
export type Serve = (context: RequestContext) => void

/** Hears what went wrong behind a call's back. */
export type Fail = (error: unknown) => void

/** What filling parameters needs. */
export interface Binding {
  readonly openBody: Parameters['openBody']
  /** Where compiling leaves what is wrong with the declarations. */
  readonly problems: string[]
}

/** What a serve file needs of the application. */
export interface Serving extends Binding {
  readonly logger: Logger
  readonly resolve: Resolve
  /** Whether there is one instance of a class, which is made before any route is compiled. */
  readonly isMade: (token: AbstractClass) => boolean
  /** Writes what a handler answered. `fail` hears of a source that fails while it is sent. @default refuse */
  readonly reply: (context: RequestContext, value: unknown, fail?: Fail) => void
  /** Writes an error's reply, and logs what the peer may not know. Never throws. */
  readonly refuse: (context: RequestContext, error: unknown) => void
}

/** What is filled into the parameters of a member, and what is wrong there. */
export function bindMember(
  member: { readonly route: Route; readonly name: string; readonly key: string; readonly row?: MessageRow },
  offers: {
    readonly sources: ReadonlySet<ParamSource>
    readonly connections?: readonly Token[]
    readonly connectionFirst?: boolean
  },
  binding: Binding,
): Bind {
  const { owner } = member.route
  const { bind, problems } = compileBind({
    name: member.name,
    length: findMethod(owner, member.key)?.length ?? 0,
    declared: member.row?.params ?? member.route.params,
    types: () => paramTypes(owner, member.key),
    sources: offers.sources,
    pathNames: () => namesOf(member.route),
    connections: offers.connections ?? [],
    connectionFirst: offers.connectionFirst ?? false,
    openBody: binding.openBody,
  })
  collect(binding.problems, problems)
  return bind
}

/** The names of the values that a route has from its host and its path. */
function namesOf({ host, pattern }: Route): readonly string[] {
  const inPath = pattern === undefined ? [] : parsePattern(pattern).names
  return host === undefined ? inPath : [...parseHost(host).names, ...inPath]
}

const everywhere: readonly ParamSource[] = ['param', 'query', 'header', 'context', 'custom', 'token']

/** What the handlers of messages can be given. */
export const ofMessages: ReadonlySet<ParamSource> = new Set([...everywhere, 'data'])

/** What the handlers of requests and of openings can be given. */
export const ofRequests: ReadonlySet<ParamSource> = new Set([...everywhere, 'cookie', 'accepts'])

const ofBodies: ReadonlySet<ParamSource> = new Set([...ofRequests, 'body', 'file', 'files'])

/** What parameters may ask for: of a body, where requests of this method have content to be read (RFC 9110 §9.3). */
export function requestSources(method: string): ReadonlySet<ParamSource> {
  return method === 'GET' || method === 'HEAD' || method === 'OPTIONS' ? ofRequests : ofBodies
}
