import assert from 'node:assert/strict'
import { createRequire } from 'node:module'
import { Validator } from '@seriousme/openapi-schema-validator'
import { Ajv } from 'ajv'
import { Ajv2020 } from 'ajv/dist/2020.js'
import formats from 'ajv-formats'
import type { AsyncApiDocument, JsonSchema, OpenApiDocument } from '../../src/describe/index.js'

const require = createRequire(import.meta.url)
const asyncApiSchema = require('@asyncapi/specs/schemas/3.0.0-without-$id.json')
const checkAsyncApi = formats.default(new Ajv({ strict: false })).compile(asyncApiSchema)

const validator = new Validator()

/** A document as it reaches who asks for it: what JSON has no word for is not in it. */
function asTold<T>(document: T): T {
  const told = JSON.parse(JSON.stringify(document))
  assert.deepEqual(told, document)
  return told
}

/** Holds a document to the official schema of its version, and to what a schema cannot say. */
export async function checkOpenApi(document: OpenApiDocument): Promise<void> {
  const told = asTold(document)
  const { valid, errors } = await validator.validate(told as never)
  assert.ok(valid, JSON.stringify(errors, undefined, 2))
  const operations = Object.entries(told.paths).flatMap(([path, item]) =>
    Object.values(item).map(operation => ({ path, operation })),
  )
  const ids = operations.map(({ operation }) => operation.operationId)
  assert.deepEqual(ids, [...new Set(ids)], 'each operation has an id of its own (§4.8.10.1)')
  for (const { path, operation } of operations) {
    const inPath = (operation.parameters ?? []).filter(each => each.in === 'path').map(({ name }) => name)
    assert.deepEqual(inPath.sort(), [...path.matchAll(/\{(\w+)\}/g)].map(match => match[1]).sort(), path)
  }
  const shapes = Object.keys(told.paths).map(path => path.replaceAll(/\{\w+\}/g, '{}'))
  assert.deepEqual(shapes, [...new Set(shapes)], 'each path stands once (§4.8.8.2)')
  checkReferences(told)
  checkSchemas(told, new Ajv2020({ strict: false, validateFormats: false }))
}

/** Holds a document to the official schema. */
export function checkAsync(document: AsyncApiDocument): void {
  const told = asTold(document)
  assert.ok(checkAsyncApi(told), JSON.stringify(checkAsyncApi.errors, undefined, 2))
  checkReferences(told)
  for (const { channel, messages, reply } of Object.values(told.operations))
    for (const { $ref } of [...messages, ...(reply?.messages ?? [])])
      assert.ok($ref.startsWith(`${channel.$ref}/messages/`), `${$ref} is a message of ${channel.$ref}`)
  checkSchemas(told, new Ajv({ strict: false, validateFormats: false }))
}

const readers = new WeakMap<object, Ajv2020>()

/** Whether a value fits a schema of a document. */
export function fits(document: object, schema: JsonSchema, value: unknown): boolean {
  const ajv = readers.get(document) ?? new Ajv2020({ strict: false, validateFormats: false })
  if (!readers.has(document)) ajv.addSchema({ $id: 'document', ...document })
  readers.set(document, ajv)
  return ajv.compile(rooted(schema) as JsonSchema)(value)
}

/** References as they are seen from outside of the document. */
function rooted(part: unknown): unknown {
  return JSON.parse(JSON.stringify(part).replaceAll('"$ref":"#/', '"$ref":"document#/'))
}

/** Every reference leads somewhere. */
function checkReferences(document: object): void {
  for (const [, reference = ''] of JSON.stringify(document).matchAll(/"\$ref":"#\/(.*?)"/g)) {
    const found = reference.split('/').reduce<unknown>((part, key) => Object(part)[key], document)
    assert.notEqual(found, undefined, `#/${reference} leads nowhere`)
  }
}

/** Every schema is one. */
function checkSchemas(document: { components?: { schemas?: object } }, ajv: Ajv | Ajv2020): void {
  ajv.addSchema({ $id: 'document', ...document })
  for (const schema of schemasIn(document)) ajv.compile(rooted(schema) as JsonSchema)
  for (const name of Object.keys(document.components?.schemas ?? {}))
    ajv.compile({ $ref: `document#/components/schemas/${name}` })
}

function* schemasIn(part: unknown): Generator<unknown> {
  if (typeof part !== 'object' || part === null) return
  for (const [key, value] of Object.entries(part)) {
    if (['schema', 'itemSchema', 'payload', 'headers'].includes(key)) yield value
    yield* schemasIn(value)
  }
}
