import type { StandardSchemaV1 } from '@standard-schema/spec'
import { type Direction, type Draft, type JsonSchema, mapReferences, toJsonSchema } from './json-schema.js'

const COMPONENTS = '#/components/schemas/'

/** A schema as its library told it, apart from those that it refers to by name. */
interface Told {
  readonly root: JsonSchema
  readonly definitions: ReadonlyMap<string, JsonSchema>
  readonly refersToItself: boolean
}

/** What stands under `components.schemas`: what it was before it was named, and as it is told. */
interface Component {
  readonly told: string
  schema: JsonSchema
}

/**
 * The schemas of one document. Those with a name (an `id` of zod's, a definition) and those that refer to themselves stand
 * once, under `components.schemas`; all others where they are used.
 */
export class Schemas {
  readonly #components = new Map<string, Component>()
  readonly #named = new Map<JsonSchema, string>()

  /** The names of what peers send. */
  readonly inputs = new Set<string>()

  constructor(
    private readonly draft: Draft,
    /** The names of what peers send, where that is known already. */
    private readonly sketched: ReadonlySet<string> = new Set(),
  ) {}

  /** What a peer sends. */
  input(schema: StandardSchemaV1): JsonSchema {
    return this.#tell(schema, 'input')
  }

  /** What a schema makes of it, and what a peer is sent. */
  output(schema: StandardSchemaV1): JsonSchema {
    return this.#tell(schema, 'output')
  }

  /** A reference to a schema of ours. */
  named(name: string, schema: JsonSchema): JsonSchema {
    const known = this.#named.get(schema) ?? this.#add(name, JSON.stringify(schema), () => schema)
    this.#named.set(schema, known)
    return { $ref: COMPONENTS + known }
  }

  /** The schema itself, where it is a reference. */
  resolve(schema: JsonSchema): JsonSchema {
    const { $ref } = schema
    if (typeof $ref !== 'string') return schema
    return this.#components.get($ref.slice(COMPONENTS.length))?.schema ?? schema
  }

  /** All that have names; undefined where none has. */
  get components(): Readonly<Record<string, JsonSchema>> | undefined {
    if (this.#components.size === 0) return undefined
    return Object.fromEntries([...this.#components].map(([name, { schema }]) => [name, schema]))
  }

  #tell(schema: StandardSchemaV1, direction: Direction): JsonSchema {
    const told = toldOf(schema, direction, this.draft)
    const names = new Map<string, string>()
    const place = (key: string): string => {
      const known = names.get(key)
      if (known !== undefined) return known
      const name = nameOf(told, key)
      if (direction === 'input') this.inputs.add(name)
      const closure = closureOf(told, key)
      const asIs =
        direction === 'input' ||
        !this.sketched.has(name) ||
        closure === closureOf(toldOf(schema, 'input', this.draft), key)
      const make = () => rename(key === ROOT ? told.root : (told.definitions.get(key) ?? {}))
      return this.#add(asIs ? name : `${name}Output`, closure, make, placed => names.set(key, placed))
    }
    const rename = (part: JsonSchema) =>
      mapReferences(part, reference => {
        const { key, rest } = readReference(reference)
        return COMPONENTS + place(key) + rest
      }) as JsonSchema
    const hasName = typeof told.root.$id === 'string' || told.refersToItself
    return hasName ? { $ref: COMPONENTS + place(ROOT) } : rename(told.root)
  }

  /**
   * Puts a schema under the first name that nothing else has. `placed` hears of the name before the schema is made, since
   * that may refer to itself.
   */
  #add(name: string, told: string, make: () => JsonSchema, placed: (name: string) => void = () => {}): string {
    let free = name
    for (let count = 2; (this.#components.get(free)?.told ?? told) !== told; count++) free = `${name}${count}`
    placed(free)
    if (!this.#components.has(free)) {
      const component: Component = { told, schema: {} }
      this.#components.set(free, component)
      const { $id: _, ...schema } = make()
      component.schema = schema
    }
    return free
  }
}

/**
 * Draws a document with its schemas. What goes out may differ from what comes in (defaults, transformations): `User`, and
 * `UserOutput` where both are used, which is known when all has been drawn once.
 */
export function drawWith<T>(draft: Draft, draw: (schemas: Schemas) => T): T {
  const sketch = new Schemas(draft)
  const drawn = draw(sketch)
  return sketch.inputs.size === 0 ? drawn : draw(new Schemas(draft, sketch.inputs))
}

/** Stands for the schema itself among its definitions. */
const ROOT = '#'

/** What schemas have told: a document that is served asks them each time, and they take most of its time. */
const known = new WeakMap<StandardSchemaV1, Map<string, Told>>()

function toldOf(schema: StandardSchemaV1, direction: Direction, draft: Draft): Told {
  const ofSchema = known.get(schema) ?? new Map<string, Told>()
  const key = `${direction} ${draft}`
  const told = ofSchema.get(key) ?? split(askFor(schema, direction, draft))
  known.set(schema, ofSchema.set(key, told))
  return told
}

function askFor(schema: StandardSchemaV1, direction: Direction, draft: Draft): JsonSchema {
  const input = toJsonSchema(schema, 'input', draft)
  return direction === 'input' ? input : openLike(input, toJsonSchema(schema, 'output', draft))
}

/**
 * Zod tells of what goes out that its objects have no other properties, as it takes them away. That would make two schemas
 * of nearly each, and promise what a later version breaks: it is told only of those that refuse other properties.
 */
function openLike(input: JsonSchema, output: JsonSchema): JsonSchema {
  if (JSON.stringify(input).includes('"additionalProperties":false')) return output
  const isShut = (key: string, value: unknown) => key === 'additionalProperties' && value === false
  return JSON.parse(JSON.stringify(output), (key, value) => (isShut(key, value) ? undefined : value))
}

/** Definitions are under `$defs`, or under `definitions` before draft 2019-09. */
function split({ $schema: _, $defs, definitions: older, ...root }: JsonSchema): Told {
  const named: Record<string, JsonSchema> = { ...Object(older), ...Object($defs) }
  const definitions = new Map(Object.entries(named))
  const refersToItself = [root, ...definitions.values()].some(part => referencesOf(part).has(ROOT))
  return { root, definitions, refersToItself }
}

/** `#/$defs/User/properties/name` is `User`, and `/properties/name` in it. */
function readReference(reference: string): { key: string; rest: string } {
  const [, key, rest = ''] = /^#\/(?:\$defs|definitions)\/([^/]*)(.*)$/.exec(reference) ?? []
  if (key === undefined) return { key: ROOT, rest: reference.slice(1) }
  return { key: decode(key).replaceAll('~1', '/').replaceAll('~0', '~'), rest }
}

function decode(key: string): string {
  try {
    return decodeURIComponent(key)
  } catch {
    return key
  }
}

/** The keys of what a part refers to. */
function referencesOf(part: unknown): ReadonlySet<string> {
  const keys = new Set<string>()
  mapReferences(part, reference => {
    keys.add(readReference(reference).key)
    return reference
  })
  return keys
}

/** All that a part is made of, as text: what is alike in it is alike. */
function closureOf({ root, definitions }: Told, key: string): string {
  const parts = new Map<string, unknown>()
  const visit = (each: string) => {
    if (parts.has(each)) return
    const part = each === ROOT ? root : definitions.get(each)
    parts.set(each, part)
    for (const next of referencesOf(part)) visit(next)
  }
  visit(key)
  return JSON.stringify([...parts])
}

/** What a schema calls itself, or is called by those that refer to it, in letters that a component's name may have. */
function nameOf({ root: { $id, title } }: Told, key: string): string {
  const own = typeof $id === 'string' ? $id.split('/').at(-1) : title
  const name = key === ROOT ? own : key
  return typeof name === 'string' && name !== '' ? name.replace(/[^\w.-]/g, '_') : 'Schema'
}
