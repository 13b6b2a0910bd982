/** Versions of routes: how a request says which one it means, and where that puts a route. */
import type { IncomingHttpHeaders } from 'node:http'
import { type Check, check, show, wrongOptions } from '../declare/options.js'
import { joinPrefixes } from './pattern.js'

/** How requests say which version they mean. */
export type Versioning = (
  | {
      readonly by: 'path'
      /** What stands in front of the version, in the segment behind the application's prefix: `v` makes `/v2/users`. @default 'v' */
      readonly prefix?: string
    }
  | {
      readonly by: 'header'
      /** The header field whose value is the version. @default 'X-Version' */
      readonly name?: string
    }
  | {
      readonly by: 'media-type'
      /** The parameter of a media range in `Accept` whose value is the version (RFC 9110 §12.5.1). @default 'v' */
      readonly parameter?: string
    }
) & {
  /** The version that a request means which names none. @default none: such requests reach only routes without a version */
  readonly default?: string
}

/** What a request says of its version: the name it gives, and the header field where it stands. */
export interface VersionReader {
  readonly field: string
  readonly read: (headers: IncomingHttpHeaders) => string | undefined
}

/** Where a route stands in one of its versions. */
export interface VersionedPlace {
  readonly prefix: string
  /** Undefined where the path says it, and where a route has none. */
  readonly version?: string
}

const token = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/
const isToken = (value: unknown) => typeof value === 'string' && token.test(value)
const isVersion = (value: unknown) => check.versions(value) === undefined && typeof value === 'string'

const fieldName: Check = value => (isToken(value) ? undefined : 'a token, as header fields and parameters are named')
const version: Check = value => (isVersion(value) ? undefined : "a version, such as '2'")
const segment: Check = value =>
  typeof value === 'string' && /^[\w.~-]*$/.test(value) ? undefined : "a piece of a path's segment, such as 'v'"

const known = {
  path: { by: check.text, prefix: segment, default: version },
  header: { by: check.text, name: fieldName, default: version },
  'media-type': { by: check.text, parameter: fieldName, default: version },
} as const

/** What is wrong with the option. */
export function versioningProblems(versioning: Versioning | undefined): string[] {
  if (versioning === undefined) return []
  const where = 'bootstrap: versioning'
  if (typeof versioning !== 'object' || versioning === null)
    return [`${where} should be an object, such as { by: 'path' }, not ${show(versioning)}`]
  if (!Object.hasOwn(known, versioning.by))
    return [`${where}: by should be 'path' or 'header' or 'media-type', not ${show(versioning.by)}`]
  return wrongOptions(where, versioning, known[versioning.by])
}

/** Where a route stands: once for each of its versions, and once for all requests where it has none. */
export function placeVersions(
  prefix: string,
  versions: string | readonly string[] | undefined,
  versioning: Versioning,
  applicationPrefix: string,
): readonly VersionedPlace[] {
  if (versions === undefined) return [{ prefix }]
  const names = [...new Set([versions].flat())]
  if (versioning.by !== 'path') return names.map(version => ({ prefix, version }))
  const inside = prefix.slice(applicationPrefix.length)
  const places = names.map(name => ({
    prefix: joinPrefixes(applicationPrefix, `${versioning.prefix ?? 'v'}${name}`, inside),
  }))
  const named = versioning.default
  return named !== undefined && names.includes(named) ? [...places, { prefix }] : places
}

/** Undefined where the path says the version: then the request has nothing to be read. */
export function readsVersion(versioning: Versioning | undefined): VersionReader | undefined {
  if (versioning?.by === 'header') {
    const field = versioning.name ?? 'X-Version'
    const key = field.toLowerCase()
    return { field, read: headers => textOf(headers[key]) ?? versioning.default }
  }
  if (versioning?.by !== 'media-type') return undefined
  const parameter = (versioning.parameter ?? 'v').replace(/[$*+.^|]/g, '\\$&')
  const pattern = new RegExp(`;[ \\t]*${parameter}=(?:"([^"\\\\]*)"|([^",;\\s]+))`, 'i')
  return {
    field: 'Accept',
    read({ accept = '' }) {
      const [, quoted, plain] = pattern.exec(accept) ?? []
      return quoted ?? plain ?? versioning.default
    },
  }
}

function textOf(value: string | readonly string[] | undefined): string | undefined {
  const text = typeof value === 'string' ? value.trim() : value?.join(', ')
  return text === '' ? undefined : text
}
