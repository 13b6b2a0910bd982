/** JSON Schema from Standard Schemas: by their own word, or none at all. */
import type { StandardJSONSchemaV1, StandardSchemaV1 } from '@standard-schema/spec'

/** A JSON Schema: of draft 2020-12 in OpenAPI, of draft-07 in AsyncAPI. */
export type JsonSchema = { readonly [keyword: string]: unknown }

/** Any string. */
export const TEXT: JsonSchema = { type: 'string' }

/** Whether the form that a peer sends is meant, or the one that is made of it. */
export type Direction = 'input' | 'output'
/** The drafts that documents speak. */
export type Draft = 'draft-2020-12' | 'draft-07'

/** Asks zod and Valibot's converter for what they can tell where a part of a schema has no JSON form, such as a date. */
const LENIENT = { unrepresentable: 'any', errorMode: 'ignore' }

/**
 * The JSON Schema of a Standard Schema that tells one (Standard JSON Schema, `~standard.jsonSchema`); of another, an empty
 * one that says whose it is. Never throws.
 */
export function toJsonSchema(schema: StandardSchemaV1, direction: Direction, target: Draft): JsonSchema {
  const { vendor, jsonSchema } = schema['~standard'] as Partial<StandardJSONSchemaV1.Props>
  for (const libraryOptions of [undefined, LENIENT])
    try {
      // What JSON has no word for is no part of it.
      const plain: unknown = JSON.parse(JSON.stringify(jsonSchema?.[direction]({ target, libraryOptions }) ?? null))
      if (typeof plain === 'object' && plain !== null) return plain as JsonSchema
    } catch {
      // It has no JSON form, or none in this draft.
    }
  return { description: `Read by a schema of ${vendor}, which tells no JSON Schema.` }
}

/** Whether a value must be there, as far as a schema tells at once: one that refuses `undefined`. Never throws. */
export function refusesNothing(schema: StandardSchemaV1 | undefined): boolean {
  try {
    const result = schema?.['~standard'].validate(undefined)
    if (!(result instanceof Promise)) return result?.issues !== undefined
    result.catch(() => {})
  } catch {
    // What it makes of `undefined`, nobody knows.
  }
  return false
}

/** Keywords whose value is data, in which `$ref` is a word like any other. */
const DATA: ReadonlySet<string> = new Set(['const', 'enum', 'default', 'examples', 'example'])
/** Keywords whose value has schemas by names of the user's own, which may be called as keywords are. */
const NAMED: ReadonlySet<string> = new Set(['properties', 'patternProperties', 'dependentSchemas'])

/** A copy whose local references are other ones. */
export function mapReferences(schema: unknown, change: (reference: string) => string): unknown {
  if (Array.isArray(schema)) return schema.map(each => mapReferences(each, change))
  if (typeof schema !== 'object' || schema === null) return schema
  const entries = Object.entries(schema).map(([keyword, value]) => {
    if (keyword === '$ref' && typeof value === 'string') return [keyword, value.startsWith('#') ? change(value) : value]
    if (DATA.has(keyword)) return [keyword, value]
    return [keyword, NAMED.has(keyword) ? mapNamed(value, change) : mapReferences(value, change)]
  })
  return Object.fromEntries(entries)
}

function mapNamed(schemas: unknown, change: (reference: string) => string): unknown {
  return Object.fromEntries(
    Object.entries(Object(schemas)).map(([name, schema]) => [name, mapReferences(schema, change)]),
  )
}

/** An object of these properties, without what says nothing. */
export function objectOf(
  properties: Readonly<Record<string, JsonSchema>>,
  required: readonly string[] = [],
): JsonSchema {
  return { type: 'object', properties, ...(required.length === 0 ? {} : { required }) }
}

/** The properties of a schema that is an object's, each with whether it must be there. */
export function propertiesOf(schema: JsonSchema): { name: string; schema: JsonSchema; required: boolean }[] {
  const { properties, required } = schema
  const needed = Array.isArray(required) ? required : []
  return Object.entries(Object(properties)).map(([name, property]) => ({
    name,
    schema: property as JsonSchema,
    required: needed.includes(name),
  }))
}
