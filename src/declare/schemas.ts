/** Small Standard Schemas for strings from the request line and the header fields; for more, bring a schema library. */
import type { StandardJSONSchemaV1, StandardSchemaV1 } from '@standard-schema/spec'

/** What reads an input: a Standard Schema. */
export type Schema<Output = unknown> = StandardSchemaV1<unknown, Output>

/** A Standard Schema that has a JSON Schema, too. */
type DescribedSchema<Output> = Schema<Output> & StandardJSONSchemaV1<unknown, Output>

function schema<Output>(
  read: (value: unknown) => Output | undefined,
  expected: string,
  json: Readonly<Record<string, unknown>>,
): DescribedSchema<Output> {
  return {
    '~standard': {
      version: 1,
      vendor: 'palomino',
      validate(value) {
        const output = read(value)
        return output === undefined ? { issues: [{ message: `expected ${expected}` }] } : { value: output }
      },
      jsonSchema: { input: () => ({ ...json }), output: () => ({ ...json }) },
    },
  }
}

/** What a number may be. */
export interface Range {
  /** @default none */
  readonly min?: number
  /** @default none */
  readonly max?: number
}

/** A whole number in plain decimal digits, safe to compute with. */
export function int(range: Range = {}): Schema<number> {
  return numeric(/^-?\d{1,16}$/, Number.isSafeInteger, 'integer', range)
}

/** A finite number in decimal notation. */
export function number(range: Range = {}): Schema<number> {
  return numeric(/^-?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i, Number.isFinite, 'number', range)
}

function numeric(
  pattern: RegExp,
  accepts: (n: number) => boolean,
  type: 'integer' | 'number',
  { min, max }: Range,
): Schema<number> {
  const what = type === 'integer' ? 'a whole number' : 'a number'
  const json = {
    type,
    ...(min === undefined ? {} : { minimum: min }),
    ...(max === undefined ? {} : { maximum: max }),
  }
  const bounds = [min === undefined ? '' : ` from ${min}`, max === undefined ? '' : ` up to ${max}`].join('')
  return schema(
    value => {
      const n =
        typeof value === 'number'
          ? value
          : typeof value === 'string' && pattern.test(value)
            ? Number(value)
            : Number.NaN
      return accepts(n) && n >= (min ?? -Infinity) && n <= (max ?? Infinity) ? n : undefined
    },
    what + bounds,
    json,
  )
}

/** `true` or `1`, `false` or `0`. */
export function boolean(): Schema<boolean> {
  return schema(
    value => {
      if (value === true || value === 'true' || value === '1') return true
      return value === false || value === 'false' || value === '0' ? false : undefined
    },
    'true or false',
    { type: 'boolean' },
  )
}

/** One of the given strings. */
export function oneOf<const Values extends readonly string[]>(...values: Values): Schema<Values[number]> {
  return schema(value => values.find(known => known === value), `one of ${values.join(', ')}`, {
    type: 'string',
    enum: values,
  })
}

/** The value of another schema, or undefined where there is none. */
export function optional<Output>(
  inner: StandardSchemaV1<unknown, Output>,
): StandardSchemaV1<unknown, Output | undefined> {
  const { jsonSchema } = inner['~standard'] as Partial<StandardJSONSchemaV1.Props>
  const props = {
    version: 1,
    vendor: 'palomino',
    validate: (value: unknown) => (value === undefined ? { value } : inner['~standard'].validate(value)),
    ...(jsonSchema === undefined ? {} : { jsonSchema }),
  } as const
  return { '~standard': props }
}
