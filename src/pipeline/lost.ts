/** What JSON makes `{}` of: all that it holds is lost, and nobody is told. */

/** Kinds of objects by the names of their classes, and what says the same. */
export const CURES: ReadonlyMap<string, string> = new Map([
  ['Map', 'Object.fromEntries(map), or [...map]'],
  ['Set', '[...set], or ndjson(set)'],
  ['WeakMap', 'what it holds'],
  ['WeakSet', 'what it holds'],
  ['RegExp', 'its source'],
  ['FormData', 'Object.fromEntries(form)'],
  ['URLSearchParams', 'String(params)'],
  ['Headers', 'Object.fromEntries(headers)'],
  ['Request', 'what it asks for'],
])

/** Those that are lost inside of something else: by themselves they are sent as what they are. */
const INSIDE: ReadonlyMap<string, string> = new Map([
  ...CURES,
  ['Set', '[...set]'],
  ['Promise', 'what it resolves to: await it'],
  ['Error', 'its message'],
  ['DOMException', 'its message'],
  ['ArrayBuffer', "its bytes as text: Buffer.from(buffer).toString('base64')"],
  ['Response', 'what it holds'],
  ['Blob', 'what it holds'],
  ['File', 'what it holds'],
  ['ReadableStream', 'what it brings'],
  ...['Map Iterator', 'Set Iterator', 'Array Iterator', 'Generator', 'AsyncGenerator'].map(
    kind => [kind, 'an array of what it yields'] as const,
  ),
])

/** Something that is lost: its kind, where it stands, and what says the same. */
export interface Lost {
  readonly kind: string
  readonly path: string
  readonly cure: string
}

/**
 * The first of what JSON has lost of a value. Whoever lost something has `{}` in its text, and nearly no other text has: so
 * nearly no value is walked through (`json`).
 */
export function findLost(root: unknown, text: string): Lost | undefined {
  if (!text.includes('{}')) return undefined
  return isObject(root) ? find(root) : undefined
}

/** JSON has gone as deep: the value has an end, and the stack has room. The path is made on the way back, where there is one. */
function find(value: object): Lost | undefined {
  if (typeof (value as { readonly toJSON?: unknown }).toJSON === 'function') return undefined
  if (Array.isArray(value)) {
    for (let index = 0; index < value.length; index++) {
      const lost = isObject(value[index]) ? find(value[index]) : undefined
      if (lost !== undefined) return { ...lost, path: `[${index}]${lost.path}` }
    }
    return undefined
  }
  const keys = Object.keys(value)
  if (keys.length === 0) return lostAs(value)
  for (const key of keys) {
    const inner = (value as Readonly<Record<string, unknown>>)[key]
    const lost = isObject(inner) ? find(inner) : undefined
    if (lost !== undefined) return { ...lost, path: `.${key}${lost.path}` }
  }
  return undefined
}

/** Of what has no members of its own: nearly always it is plain, and to ask for its kind costs more than all else (`json`). */
function lostAs(value: object): Lost | undefined {
  if (Object.getPrototypeOf(value) === Object.prototype) return undefined
  const kind = Object.prototype.toString.call(value).slice(8, -1)
  const cure = INSIDE.get(kind)
  return cure === undefined ? undefined : { kind, path: '', cure }
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null
}
