import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { StandardSchemaV1 } from '@standard-schema/spec'
import { toStandardJsonSchema } from '@valibot/to-json-schema'
import { scope, type } from 'arktype'
import * as v from 'valibot'
import { z } from 'zod'
import { type JsonSchema, openapi } from '../../src/describe/index.js'
import { mapReferences } from '../../src/describe/json-schema.js'
import { Body, boolean, Controller, int, number, oneOf, optional, Post, readRoutes } from '../../src/index.js'
import { moduleOf } from '../support/apps.js'
import { checkOpenApi, fits } from '../support/documents.js'

const info = { title: 'Schemas', version: '1.0.0' }

/** The document of one route that reads `input` and answers with `output`, for each pair; valid, as all of them. */
async function told(...pairs: (readonly [input?: StandardSchemaV1, output?: StandardSchemaV1])[]) {
  const controllers = pairs.map(([input, output], index) => {
    @Controller(`/${index}`)
    class Reading {
      @Post('/', output === undefined ? {} : { output })
      read(@Body(input ?? z.unknown()) body: unknown) {
        return body
      }
    }
    return Reading
  })
  const document = openapi(readRoutes(moduleOf({ controllers })), info)
  await checkOpenApi(document)
  const inputs = pairs.map((_, index) => {
    const operation = document.paths[`/${index}`]?.post
    return operation?.requestBody?.content['application/json']?.schema ?? {}
  })
  const { Problem: _, ...schemas } = document.components?.schemas ?? {}
  return { document, inputs, schemas }
}

const inputOf = async (input: StandardSchemaV1) => (await told([input])).inputs[0] as JsonSchema

describe('schemas', () => {
  test('of zod, of ArkType, of Valibot and of our own are told as JSON Schema', async () => {
    const album = { type: 'object', properties: { title: { type: 'string', minLength: 1 } }, required: ['title'] }
    assert.deepEqual(await inputOf(z.object({ title: z.string().min(1) })), album)
    assert.deepEqual(await inputOf(type({ title: 'string > 0' })), album)
    const withConverter = toStandardJsonSchema(v.object({ title: v.pipe(v.string(), v.minLength(1)) }))
    assert.deepEqual(await inputOf(withConverter), album)
    assert.deepEqual(await inputOf(int({ min: 1 })), { type: 'integer', minimum: 1 })
    assert.deepEqual(await inputOf(number({ max: 2.5 })), { type: 'number', maximum: 2.5 })
    assert.deepEqual(await inputOf(boolean()), { type: 'boolean' })
    assert.deepEqual(await inputOf(oneOf('a', 'b')), { type: 'string', enum: ['a', 'b'] })
    assert.deepEqual(await inputOf(optional(z.int())), await inputOf(z.int()))
  })

  test('that tell none are told as anything, by the name of their library', async () => {
    const description = 'Read by a schema of valibot, which tells no JSON Schema.'
    assert.deepEqual(await inputOf(v.object({ title: v.string() })), { description })
  })

  test('that fail, wait or throw when they are asked end nothing', async () => {
    const schema = (props: object): StandardSchemaV1 => ({
      '~standard': { version: 1, vendor: 'mine', validate: async value => ({ value }), ...props },
    })
    const throws = () => {
      throw new Error('not today')
    }
    const description = 'Read by a schema of mine, which tells no JSON Schema.'
    const rejecting = schema({ validate: () => Promise.reject(new Error('not today')) })
    const all = [
      schema({ jsonSchema: { input: throws, output: throws } }),
      schema({ jsonSchema: { input: () => undefined } }),
      schema({ validate: throws }),
      rejecting,
    ]
    for (const each of all) assert.deepEqual(await inputOf(each), { description })
  })

  test('are told as far as they can be where a part has no JSON form', async () => {
    const born = { type: 'object', properties: { name: { type: 'string' }, born: {} }, required: ['name', 'born'] }
    assert.deepEqual(await inputOf(z.object({ name: z.string(), born: z.date() })), born)
    const withConverter = toStandardJsonSchema(v.object({ name: v.string(), born: v.date() }))
    assert.deepEqual(await inputOf(withConverter), born)
  })

  test('with an id stand once, wherever they are used', async () => {
    const Author = z.object({ name: z.string() }).meta({ id: 'Author' })
    const { inputs, schemas } = await told([Author], [z.array(Author)], [z.object({ by: Author })])
    const reference = { $ref: '#/components/schemas/Author' }
    assert.deepEqual(inputs[0], reference)
    assert.deepEqual(inputs[1], { type: 'array', items: reference })
    assert.deepEqual((inputs[2] as { properties: JsonSchema }).properties.by, reference)
    assert.deepEqual(Object.keys(schemas), ['Author'])
  })

  test('with an id are one where what goes out is like what comes in, and two where it is not', async () => {
    const alike = z.object({ name: z.string() }).meta({ id: 'Alike' })
    const strict = z.strictObject({ name: z.string() }).meta({ id: 'Strict' })
    const other = z.object({ name: z.string().default('you') }).meta({ id: 'Other' })
    const { schemas } = await told([alike, alike], [strict, strict], [other, other], [z.string(), z.array(other)])
    assert.deepEqual(Object.keys(schemas), ['Alike', 'Strict', 'Other', 'OtherOutput'])
    assert.deepEqual([schemas.Alike?.additionalProperties, schemas.Strict?.additionalProperties], [undefined, false])
    const { schemas: sent } = await told([z.string(), other])
    assert.deepEqual(sent, { Other: schemas.OtherOutput })
  })

  test('of one id that are not alike have names of their own, and ours does not give way', async () => {
    const one = z.object({ a: z.string() }).meta({ id: 'Same' })
    const other: StandardSchemaV1 = {
      '~standard': {
        version: 1,
        vendor: 'mine',
        validate: value => ({ value }),
        jsonSchema: { input: () => ({ $id: 'https://example.org/Same', type: 'number' }), output: () => ({}) },
      } as StandardSchemaV1.Props,
    }
    const problem = z.object({ mine: z.boolean() }).meta({ id: 'Problem' })
    const { inputs, document } = await told([problem], [one], [other])
    assert.deepEqual(
      inputs.map(({ $ref }) => $ref),
      ['#/components/schemas/Problem2', '#/components/schemas/Same', '#/components/schemas/Same2'],
    )
    assert.deepEqual(document.components?.schemas?.Same2, { type: 'number' })
  })

  test('that refer to themselves still do, at the root or in a part', async () => {
    const Tree = z.object({
      name: z.string(),
      get children() {
        return z.array(Tree)
      },
    })
    const Person = z
      .object({
        name: z.string(),
        get friends() {
          return z.array(Person)
        },
      })
      .meta({ id: 'Person' })
    const { node } = scope({ node: { value: 'string', 'next?': 'node' } }).export()
    const { document, inputs } = await told([Tree], [z.object({ owner: Person })], [node], [z.array(Tree)])
    const leaf = { name: 'leaf', children: [] }
    const cases: [schema: JsonSchema | undefined, right: unknown, wrong: unknown][] = [
      [inputs[0], { name: 'root', children: [leaf] }, { name: 'root', children: [{ name: 1, children: [] }] }],
      [inputs[1], { owner: { name: 'a', friends: [] } }, { owner: { name: 'a', friends: [{ name: 'b' }] } }],
      [inputs[2], { value: 'a', next: { value: 'b' } }, { value: 'a', next: { value: 1 } }],
      [inputs[3], [{ name: 'root', children: [leaf] }], [{ name: 'root', children: [{}] }]],
    ]
    for (const [schema = {}, right, wrong] of cases)
      assert.deepEqual([fits(document, schema, right), fits(document, schema, wrong)], [true, false])
  })

  test('whose data or properties look like references keep them', () => {
    const schema = {
      properties: { $ref: { $ref: '#' }, const: { $ref: '#/$defs/A' } },
      const: { $ref: '#' },
      anyOf: [{ $ref: '#/$defs/A' }, { $ref: 'https://example.org/A' }, { enum: [{ $ref: '#' }] }],
    }
    assert.deepEqual(
      mapReferences(schema, reference => `${reference}!`),
      {
        properties: { $ref: { $ref: '#!' }, const: { $ref: '#/$defs/A!' } },
        const: { $ref: '#' },
        anyOf: [{ $ref: '#/$defs/A!' }, { $ref: 'https://example.org/A' }, { enum: [{ $ref: '#' }] }],
      },
    )
  })
})
