/** What handlers read of bodies. */
import type { ParamDeclaration } from '../declare/metadata.js'
import type { BodyOptions } from '../declare/params.js'
import type { FileOptions, FilesOptions } from '../declare/uploads.js'
import { asksForBody } from '../pipeline/body-asks.js'
import type { Route } from '../routing/table.js'
import { type JsonSchema, propertiesOf, refusesNothing } from './json-schema.js'
import type { Content, MediaType, RequestBody } from './openapi-document.js'
import type { Schemas } from './schemas.js'

const JSON_TYPE = 'application/json'
const FORM = 'application/x-www-form-urlencoded'
const MULTIPART = 'multipart/form-data'
const TYPES = { json: JSON_TYPE, form: FORM, text: 'text/plain', raw: 'application/octet-stream' } as const

/** What a route's parameters ask of the body. */
export function bodyAsks({ params }: Route): readonly ParamDeclaration[] {
  return [...params.values()].filter(asksForBody)
}

/** The forms in which a route takes a body; undefined where it reads none. */
export function requestBodyOf(route: Route, schemas: Schemas): RequestBody | undefined {
  const asks = bodyAsks(route)
  if (asks.length === 0) return undefined
  const body = asks.find(ask => ask.source === 'body')
  const files = asks.filter(ask => ask !== body)
  const required = files.some(isRequired) || refusesNothing(body?.schema)
  const content = files.length > 0 ? multipart(body, files, schemas) : whole(body, schemas)
  return { ...(required && { required }), content }
}

/** A body that is one value: JSON, unless it is asked for as something else, and a form where one can say as much. */
function whole(body: ParamDeclaration | undefined, schemas: Schemas): Content {
  const { as } = (body?.options ?? {}) as BodyOptions
  const schema = body?.schema && schemas.input(body.schema)
  const media: MediaType = schema === undefined ? {} : { schema }
  if (as !== undefined) return { [TYPES[as]]: as === 'text' ? { schema: { type: 'string' }, ...media } : media }
  if (schema === undefined) return { [JSON_TYPE]: {}, [FORM]: {}, [MULTIPART]: {}, 'text/plain': {} }
  const plain = schemas.resolve(schema)
  if (plain.type === 'string') return { [JSON_TYPE]: media, 'text/plain': media }
  return isForm(plain, schemas) ? { [JSON_TYPE]: media, [FORM]: media, [MULTIPART]: media } : { [JSON_TYPE]: media }
}

/** Whether all that is asked for can be written in the fields of a form, which are strings, or lists of them. */
function isForm(schema: JsonSchema, schemas: Schemas): boolean {
  const isText = (value: unknown) => schemas.resolve(Object(value)).type === 'string'
  const fields = propertiesOf(schema).map(property => schemas.resolve(property.schema))
  return fields.length > 0 && fields.every(field => isText(field) || (field.type === 'array' && isText(field.items)))
}

/** The fields of a form and its uploads, as properties of one object (OpenAPI 3.1 §4.8.14, "multipart"). */
function multipart(body: ParamDeclaration | undefined, files: readonly ParamDeclaration[], schemas: Schemas): Content {
  const fields = body?.schema === undefined ? [] : propertiesOf(schemas.resolve(schemas.input(body.schema)))
  const named = files.flatMap(ask => (ask.name === undefined ? [] : [{ ask, name: ask.name }]))
  const others = files.find(ask => ask.name === undefined)
  const required = [
    ...fields.flatMap(field => (field.required ? field.name : [])),
    ...named.flatMap(({ ask, name }) => (isRequired(ask) ? name : [])),
  ]
  const schema = {
    type: 'object',
    properties: Object.fromEntries([
      ...fields.map(({ name, schema }) => [name, schema]),
      ...named.map(({ ask, name }) => [name, uploadOf(ask)]),
    ]),
    ...(required.length === 0 ? {} : { required }),
    ...(others === undefined ? {} : { additionalProperties: uploadOf(others) }),
  }
  const encoding = named.flatMap(({ ask, name }) => {
    const { types } = optionsOf(ask)
    return types === undefined ? [] : [[name, { contentType: types.join(', ') }] as const]
  })
  return { [MULTIPART]: { schema, ...(encoding.length === 0 ? {} : { encoding: Object.fromEntries(encoding) }) } }
}

/** Bytes, as tools of every version know them: by `format`, and by `contentMediaType` (OpenAPI 3.1, "Working with Binary Data"). */
const UPLOAD = { type: 'string', format: 'binary', contentMediaType: 'application/octet-stream' } as const

function uploadOf(ask: ParamDeclaration): JsonSchema {
  const { maxSize, maxCount } = optionsOf(ask)
  const upload = maxSize === undefined ? UPLOAD : { ...UPLOAD, description: `At most ${maxSize} bytes.` }
  if (ask.source === 'file') return upload
  return { type: 'array', items: upload, ...(maxCount === undefined ? {} : { maxItems: maxCount }) }
}

function isRequired(ask: ParamDeclaration): boolean {
  return ask.source === 'file' && optionsOf(ask).optional !== true
}

function optionsOf({ options }: ParamDeclaration): FilesOptions & FileOptions {
  return options ?? {}
}
