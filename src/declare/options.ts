/** The options that each decorator knows, and their values: what else is written there is a slip, and found at boot. */

import { type Mark, noOptions } from './metadata.js'
import type { InjectableOptions, ModuleOptions } from './module.js'
import type { PresenceOptions, RegistryOptions, Retention } from './registry.js'
import type {
  CompressionOptions,
  ControllerOptions,
  DescriptionOptions,
  HttpOptions,
  OnOptions,
  PlaceOptions,
  SseOptions,
  SummaryOptions,
  WebSocketOptions,
} from './routes.js'
import type { UploadOptions } from './uploads.js'

/** Says what a value should be, where it is not. */
export type Check = (value: unknown) => string | undefined
/** A check for each key of an options type: forgetting one does not compile. */
export type Checks<T> = Readonly<Record<keyof Required<T>, Check>>

const expect =
  (expected: string, accepts: (value: unknown) => boolean): Check =>
  value =>
    accepts(value) ? undefined : expected

/** Timers of Node take no more: what is above fires at once. */
const LONGEST = 2_147_483_647
const within = (value: unknown, least: number, most: number) =>
  typeof value === 'number' && value >= least && value <= most

const isSchema = (value: unknown): boolean =>
  (typeof value === 'object' || typeof value === 'function') && value !== null && '~standard' in value

/** Whether a browser may say so in `Origin` (RFC 6454 §6.2): a scheme and a host in lower case, and nothing behind them. */
function isOrigin(value: unknown): boolean {
  if (typeof value !== 'string' || !URL.canParse(value)) return value === 'null'
  const { origin } = new URL(value)
  return origin === value || (origin === 'null' && /^[a-z][a-z0-9+.-]*:\/\/[^/?#]+$/.test(value))
}
const HOST = /^(?:(?::[A-Za-z_]\w*|[a-z0-9_](?:[a-z0-9_-]*[a-z0-9_])?)(?:\.(?!$)|$))+$|^\[[\da-f:.]+\]$/i
const VERSION = /^[A-Za-z0-9](?:[\w.-]*\w)?$/
const isVersion = (value: unknown): boolean => typeof value === 'string' && VERSION.test(value)

export const check = {
  milliseconds: expect(`milliseconds, from 0 to ${LONGEST}`, value => within(value, 0, LONGEST)),
  bytes: expect('a number of bytes, above 0', value => within(value, 1, Number.POSITIVE_INFINITY)),
  count: expect('a whole number, above 0', value => Number.isInteger(value) && within(value, 1, LONGEST)),
  events: expect('a whole number of events, from 0', value => Number.isInteger(value) && within(value, 0, LONGEST)),
  flag: expect('true or false', value => typeof value === 'boolean'),
  text: expect('a string', value => typeof value === 'string'),
  nested: expect('an object of options', value => typeof value === 'object' && value !== null),
  list: expect('an array', value => Array.isArray(value)),
  texts: expect('an array of strings', value => Array.isArray(value) && value.every(each => typeof each === 'string')),
  origins: expect(
    "an array of origins, such as 'https://app.example', or '*'",
    value => value === '*' || (Array.isArray(value) && value.every(isOrigin)),
  ),
  method: expect('a function', value => typeof value === 'function'),
  methods: expect(
    'an array of functions',
    value => Array.isArray(value) && value.every(each => typeof each === 'function'),
  ),
  logger: expect('an object with the methods debug, info, warn and error', value =>
    ['debug', 'info', 'warn', 'error'].every(name => typeof Object(value)[name] === 'function'),
  ),
  host: expect(
    "a host without a port, such as 'api.example.com' or ':tenant.example.com'",
    value => typeof value === 'string' && HOST.test(value),
  ),
  versions: expect(
    "a version, such as '2', or an array of them",
    value => isVersion(value) || (Array.isArray(value) && value.length > 0 && value.every(isVersion)),
  ),
  schema: expect('a Standard Schema, such as one of zod, valibot or arktype', isSchema),
  compression: expect(
    'true, false, or { threshold, encodings }',
    value => typeof value === 'boolean' || (typeof value === 'object' && value !== null),
  ),
  oneOf: (...values: readonly string[]): Check =>
    expect(values.map(value => `'${value}'`).join(' or '), value => values.includes(value as string)),
} as const

const scope = check.oneOf('singleton', 'transient', 'connection')

const place: Checks<PlaceOptions> = { host: check.host, version: check.versions }
const controller: Checks<ControllerOptions> = place
const summary: Checks<SummaryOptions> = { summary: check.text, description: check.text, deprecated: check.flag }
const description: Checks<DescriptionOptions> = { ...summary, tags: check.texts }
const connection = {
  sendLimit: check.bytes,
  overflow: check.oneOf('disconnect', 'drop-oldest', 'drop-newest', 'latest'),
  keepHeaders: check.texts,
} as const
/** Limits of multipart bodies: of an application, and of a route. */
const uploads: Checks<UploadOptions> = {
  fileSize: check.bytes,
  files: check.count,
  fields: check.count,
  parts: check.count,
  fieldNameSize: check.bytes,
  fieldSize: check.bytes,
  headerSize: expect('a number of bytes, from 1 to 16384', value => within(value, 1, 16_384)),
  totalSize: check.bytes,
  directory: check.text,
}
const http: Checks<HttpOptions> = {
  output: check.schema,
  upgrade: check.list,
  uploads: check.nested,
  compression: check.compression,
  ...place,
  ...description,
}
const on: Checks<OnOptions> = { output: check.schema, ...summary }
const sse: Checks<SseOptions> = {
  ...connection,
  method: check.oneOf('GET', 'POST', 'PUT', 'PATCH', 'DELETE'),
  keepAlive: check.milliseconds,
  retry: check.milliseconds,
  idleTimeout: check.milliseconds,
  output: check.schema,
  uploads: check.nested,
  compression: check.flag,
  ...place,
  ...description,
}
const websocket: Checks<WebSocketOptions> = {
  ...connection,
  protocols: check.texts,
  origins: check.origins,
  maxPayload: check.bytes,
  perMessageDeflate: check.flag,
  heartbeat: check.milliseconds,
  idleTimeout: check.milliseconds,
  ...place,
  ...description,
}
const module: Checks<ModuleOptions> = {
  imports: check.list,
  controllers: check.list,
  providers: check.list,
  prefix: check.text,
  ...place,
}
const registry: Checks<RegistryOptions> = {
  history: expect(
    'a number of events, false, or { count, bytes, age }',
    value => value === false || typeof value === 'object' || within(value, 0, Number.POSITIVE_INFINITY),
  ),
  presence: check.nested,
  events: expect(
    'an object of Standard Schemas, by the name of the event',
    value => typeof value === 'object' && value !== null && Object.values(value).every(isSchema),
  ),
}
const presence: Checks<PresenceOptions> = {
  heartbeat: expect(`milliseconds, from 10 to ${LONGEST}`, value => within(value, 10, LONGEST)),
  linger: check.milliseconds,
}
const retention: Checks<Retention> = { count: check.count, bytes: check.bytes, age: check.milliseconds }
const compression: Checks<CompressionOptions> = {
  threshold: expect('a number of bytes, from 0', value => within(value, 0, Number.POSITIVE_INFINITY)),
  encodings: expect(
    "an array of 'zstd', 'br' and 'gzip'",
    value => Array.isArray(value) && value.length > 0 && value.every(each => ['zstd', 'br', 'gzip'].includes(each)),
  ),
}
const injectable: Checks<InjectableOptions> = { scope }

const known: Readonly<Record<Mark['as'], Readonly<Record<string, Check>>>> = {
  http,
  on,
  sse,
  websocket,
  module,
  registry,
  injectable,
  controller,
}

const none: readonly never[] = Object.freeze([])

/** Whether there are no options at all: so it is with most decorators, and a large table has thousands. */
function hasNone(options: unknown): boolean {
  if (options === noOptions) return true
  if (typeof options !== 'object' || options === null) return false
  for (const _ in options) return false
  return true
}

/** What is wrong with a decorator's options. */
export function markProblems(where: string, mark: Mark): readonly string[] {
  if (hasNone(mark.options)) return none
  const written = `${where}: ${mark.written}`
  const problems = wrongOptions(written, mark.options, known[mark.as])
  if (mark.as === 'http') problems.push(...compressionProblems(written, mark.options as HttpOptions | null))
  if (mark.as === 'http' || mark.as === 'sse')
    return [...problems, ...wrongUploads(written, (mark.options as HttpOptions | null)?.uploads)]
  if (mark.as === 'registry') problems.push(...nestedProblems(written, mark.options as RegistryOptions | null))
  return problems
}

/** What is wrong inside the options of a registry that are objects. */
function nestedProblems(written: string, options: RegistryOptions | null): string[] {
  return Object.entries({ history: retention, presence }).flatMap(([name, checks]) => {
    const given = options?.[name as 'history' | 'presence']
    return typeof given === 'object' && given !== null ? wrongOptions(`${written}: ${name}`, given, checks) : []
  })
}

/** What is wrong inside an option `compression`. */
export function compressionProblems(where: string, options: { readonly compression?: unknown } | null): string[] {
  const given = options?.compression
  return typeof given === 'object' && given !== null ? wrongOptions(`${where}: compression`, given, compression) : []
}

/** What is wrong with the limits of multipart bodies; that they are no object has been told. */
export function wrongUploads(where: string, given: UploadOptions | undefined): string[] {
  return typeof given === 'object' && given !== null ? wrongOptions(`${where}: uploads`, given, uploads) : []
}

export function wrongScope(where: string, value: unknown): string[] {
  return value === undefined ? [] : wrongOptions(where, { scope: value }, { scope })
}

/** Options, with the default of each that is not given, or undefined. What is no object of options gives none. */
export function withDefaults<T extends object>(defaults: T, given: Partial<T> | undefined): T {
  const meant = Object.entries<unknown>(Object(given)).filter(([, value]) => value !== undefined)
  return { ...defaults, ...Object.fromEntries(meant) }
}

/** Options that are not known, and values that cannot be meant. */
export function wrongOptions(where: string, options: object, checks: Readonly<Record<string, Check>>): string[] {
  if (typeof options !== 'object' || options === null)
    return [`${where} takes an object of options, not ${show(options)}`]
  const wrong = Object.entries(options).flatMap(([key, value]) => {
    const expected = value === undefined || !Object.hasOwn(checks, key) ? undefined : checks[key]?.(value)
    return expected === undefined ? [] : [`${where}: ${key} should be ${expected}, not ${show(value)}`]
  })
  return [...unknownKeys(where, options, Object.keys(checks)), ...wrong]
}

export function unknownKeys(where: string, options: object, names: readonly string[]): string[] {
  return Object.keys(options)
    .filter(key => !names.includes(key))
    .map(key => {
      const meant = nearest(key, names)
      if (names.length === 0) return `${where} has no option ${key}: it knows none`
      return `${where} has no option ${key}${meant === undefined ? `: it knows ${names.join(', ')}` : `: did you mean ${meant}?`}`
    })
}

/** The items of an option that is a list; none where it is something else, which is told as a problem. */
export function listOf<T>(value: readonly T[] | undefined): readonly T[] {
  return Array.isArray(value) ? value : none
}

/** A value as it may stand in a message. */
export function show(value: unknown): string {
  if (typeof value === 'string') return `'${value}'`
  if (typeof value === 'function') return value.name === '' ? 'a function' : value.name
  if (Array.isArray(value)) return 'an array'
  return typeof value === 'object' && value !== null ? 'an object' : String(value)
}

/** The name that is at most a third of its letters away. */
function nearest(key: string, names: readonly string[]): string | undefined {
  const distances = names.map(name => ({ name, distance: editDistance(key.toLowerCase(), name.toLowerCase()) }))
  const [best] = distances.sort((a, b) => a.distance - b.distance)
  return best !== undefined && best.distance <= Math.max(2, best.name.length / 3) ? best.name : undefined
}

function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, index) => index)
  for (let i = 1; i <= a.length; i++) {
    const next = [i]
    for (let j = 1; j <= b.length; j++) {
      const replaced = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1)
      next.push(Math.min(replaced, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1))
    }
    row = next
  }
  return row[b.length] ?? 0
}
