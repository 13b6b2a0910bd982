/** What handlers read of the request line and the header fields. */
import type { ParamDeclaration } from '../declare/metadata.js'
import type { Pattern, Segment } from '../routing/pattern.js'
import type { Route } from '../routing/table.js'
import { type JsonSchema, propertiesOf, refusesNothing, TEXT } from './json-schema.js'
import type { Parameter } from './openapi-document.js'
import type { Schemas } from './schemas.js'

const PLACES = ['query', 'header', 'cookie'] as const
/** Fields that have a place of their own in a document (OpenAPI 3.1 §4.8.12.2.1). */
const ELSEWHERE: ReadonlySet<string> = new Set(['accept', 'content-type', 'authorization'])

/** `/users/:id(\\d+)` as `/users/{id}` (OpenAPI 3.1 §4.8.8.2). */
export function templateOf({ segments }: Pattern): string {
  return `/${segments.map(each => (each.kind === 'static' ? encodeURIComponent(each.text) : `{${each.name}}`)).join('/')}`
}

/** The parameters of a route where it stands under this pattern, each once: those of its path, then all others. */
export function parametersOf(route: Route, pattern: Pattern, schemas: Schemas): readonly Parameter[] {
  const told = [
    ...pattern.segments.flatMap(segment => pathParameter(segment, route, schemas)),
    ...PLACES.flatMap(place => readParameters(route, place, schemas)),
    ...versionParameters(route),
    ...resumeParameters(route),
  ]
  const keyOf = ({ in: place, name }: Parameter) => `${place} ${place === 'header' ? name.toLowerCase() : name}`
  return [...new Map(told.toReversed().map(each => [keyOf(each), each])).values()].reverse()
}

/** A value of the path must always be there. */
function pathParameter(segment: Segment, route: Route, schemas: Schemas): Parameter[] {
  if (segment.kind === 'static') return []
  const { name } = segment
  const schema = schemaOfPath(name, route, schemas)
  const parameter = { name, in: 'path', required: true } as const
  if (segment.kind === 'wildcard')
    return [{ ...parameter, description: 'The rest of the path, slashes included.', schema: schema ?? TEXT }]
  const pattern = segment.source === undefined ? {} : { pattern: `^(?:${segment.source})$` }
  return [{ ...parameter, schema: schema ?? { ...TEXT, ...pattern } }]
}

function schemaOfPath(name: string, route: Route, schemas: Schemas): JsonSchema | undefined {
  const declared = declaredIn(route, 'param')
  const one = declared.find(each => each.name === name)?.schema
  if (one !== undefined) return schemas.input(one)
  return wholeOnes(declared, schemas).find(property => property.name === name)?.schema
}

/** Values with a name of their own, and the properties of a schema that reads all of them. */
function readParameters(route: Route, place: (typeof PLACES)[number], schemas: Schemas): Parameter[] {
  const declared = declaredIn(route, place)
  const named = declared.flatMap(({ name, schema }) =>
    name === undefined ? [] : [{ name, schema: schema && schemas.input(schema), required: refusesNothing(schema) }],
  )
  return [...named, ...wholeOnes(declared, schemas)]
    .filter(({ name }) => place !== 'header' || !ELSEWHERE.has(name.toLowerCase()))
    .map(({ name, schema = TEXT, required }) => ({ name, in: place, ...(required && { required }), schema }))
}

function wholeOnes(declared: readonly ParamDeclaration[], schemas: Schemas) {
  return declared.flatMap(({ name, schema }) =>
    name !== undefined || schema === undefined ? [] : propertiesOf(schemas.resolve(schemas.input(schema))),
  )
}

function declaredIn({ params }: Route, source: ParamDeclaration['source']): ParamDeclaration[] {
  return [...params].sort(([one], [other]) => one - other).flatMap(([, each]) => (each.source === source ? each : []))
}

/** The field that says which version is meant; a parameter of `Accept` has no place here, and is told in words. */
function versionParameters({ version, versioning }: Route): Parameter[] {
  if (version === undefined || versioning?.by !== 'header') return []
  const isDefault = versioning.default === version
  const schema = { ...TEXT, const: version }
  return [{ name: versioning.name ?? 'X-Version', in: 'header', ...(isDefault ? {} : { required: true }), schema }]
}

/** Where a peer that comes back says what it heard last (WHATWG HTML §9.2.4): browsers cannot set the field at first. */
function resumeParameters({ kind, registries }: Route): Parameter[] {
  if (kind === 'http' || registries.length === 0) return []
  const description = 'The id of the last event that was heard: what was missed since then is sent first.'
  const query: Parameter = { name: 'lastEventId', in: 'query', description, schema: TEXT }
  return kind === 'sse' ? [{ ...query, name: 'Last-Event-ID', in: 'header' }, query] : [query]
}
