/** What guards ask for, as far as they say it. */
import { isDeepStrictEqual } from 'node:util'
import type { Route } from '../routing/table.js'

/**
 * How a peer says who it is, as OpenAPI has it (3.1 §4.8.27): `{ type: 'http', scheme: 'bearer' }`. Its fields go into the
 * document as they are.
 */
export interface SecurityScheme {
  /** `apiKey`, `http`, `mutualTLS`, `oauth2` or `openIdConnect`. */
  readonly type: 'apiKey' | 'http' | 'mutualTLS' | 'oauth2' | 'openIdConnect'
  readonly [field: string]: unknown
}

/**
 * What a guard asks for, by names of its choosing, as a static member `security` of its class, or one of its function.
 * Any one of several is enough for it.
 */
export type Security = Readonly<Record<string, SecurityScheme>>

/** Schemes that are all asked for at once, each with the scopes that it needs (§4.8.30). */
export type SecurityRequirement = Readonly<Record<string, readonly string[]>>

/** What the guards of a route say they ask for, the outermost first. */
export function securitiesOf({ guards }: Route): readonly Security[] {
  return guards.flatMap(guard => {
    const { security } = guard as { readonly security?: unknown }
    return typeof security === 'object' && security !== null ? [security as Security] : []
  })
}

/** What satisfies all guards: one way for each choice that they leave. Undefined where none of them says what it asks for. */
export function requirementsOf(route: Route): readonly SecurityRequirement[] | undefined {
  const securities = securitiesOf(route)
  if (securities.length === 0) return undefined
  return securities.reduce<SecurityRequirement[]>(
    (ways, security) => ways.flatMap(way => Object.keys(security).map(name => ({ ...way, [name]: [] }))),
    [{}],
  )
}

/**
 * All schemes of these routes; undefined where there are none.
 * @throws TypeError where two guards mean different schemes by one name
 */
export function schemesOf(routes: readonly Route[]): Readonly<Record<string, SecurityScheme>> | undefined {
  const schemes: Record<string, SecurityScheme> = {}
  for (const [name, scheme] of routes.flatMap(securitiesOf).flatMap(each => Object.entries(each))) {
    const known = schemes[name] ?? scheme
    if (!isDeepStrictEqual(known, scheme))
      throw new TypeError(`guards mean different schemes by security.${name}: give one of them another name`)
    schemes[name] = known
  }
  return Object.keys(schemes).length === 0 ? undefined : schemes
}
