/** Small Standard Schemas for strings from the request line and the header fields; for more, bring a schema library. */
import type { StandardSchemaV1 } from '@standard-schema/spec'

/** What reads an input: a Standard Schema. */
export type Schema<Output = unknown> = StandardSchemaV1<unknown, Output>

export function schema<Output>(read: (value: unknown) => Output | undefined, expected: string): Schema<Output> {
  return {
    '~standard': {
      version: 1,
      vendor: 'palomino',
      validate(value) {
        const output = read(value)
        return output === undefined ? { issues: [{ message: `expected ${expected}` }] } : { value: output }
      },
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
  return numeric(/^-?\d{1,16}$/, Number.isSafeInteger, 'a whole number', range)
}

/** A finite number in decimal notation. */
export function number(range: Range = {}): Schema<number> {
  return numeric(/^-?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i, Number.isFinite, 'a number', range)
}

function numeric(pattern: RegExp, accepts: (n: number) => boolean, what: string, { min, max }: Range): Schema<number> {
  const bounds = [min === undefined ? '' : ` from ${min}`, max === undefined ? '' : ` up to ${max}`].join('')
  return schema(value => {
    const n =
      typeof value === 'number' ? value : typeof value === 'string' && pattern.test(value) ? Number(value) : Number.NaN
    return accepts(n) && n >= (min ?? -Infinity) && n <= (max ?? Infinity) ? n : undefined
  }, what + bounds)
}

/** `true` or `1`, `false` or `0`. */
export function boolean(): Schema<boolean> {
  return schema(value => {
    if (value === true || value === 'true' || value === '1') return true
    return value === false || value === 'false' || value === '0' ? false : undefined
  }, 'true or false')
}

/** One of the given strings. */
export function oneOf<const Values extends readonly string[]>(...values: Values): Schema<Values[number]> {
  return schema(value => values.find(known => known === value), `one of ${values.join(', ')}`)
}

/** The value of another schema, or undefined where there is none. */
export function optional<Output>(
  inner: StandardSchemaV1<unknown, Output>,
): StandardSchemaV1<unknown, Output | undefined> {
  return {
    '~standard': {
      version: 1,
      vendor: 'palomino',
      validate: value => (value === undefined ? { value } : inner['~standard'].validate(value)),
    },
  }
}
