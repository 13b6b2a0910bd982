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

interface Step {
  readonly value: unknown
  readonly path: string
}

/**
 * The first of what JSON has lost of a value. Whoever lost something has `{}` in its text, and nearly no other text has: so
 * nearly no value is walked through (`json`).
 */
export function findLost(root: unknown, text: string): Lost | undefined {
  if (!text.includes('{}')) return undefined
  const steps: Step[] = [{ value: root, path: '' }]
  for (let step = steps.pop(); step !== undefined; step = steps.pop()) {
    const { value, path } = step
    if (typeof value !== 'object' || value === null || 'toJSON' in value) continue
    const entries = Object.entries(value)
    const kind = Object.prototype.toString.call(value).slice(8, -1)
    const cure = entries.length === 0 ? INSIDE.get(kind) : undefined
    if (cure !== undefined) return { kind, path, cure }
    for (const [key, inner] of entries.reverse())
      steps.push({ value: inner, path: Array.isArray(value) ? `${path}[${key}]` : `${path}.${key}` })
  }
  return undefined
}
