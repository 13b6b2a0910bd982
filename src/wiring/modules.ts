/** The module graph, walked once: which classes and providers exist, and in which order. */
import {
  type AbstractClass,
  addSurroundings,
  foreignProblem,
  readDeclaration,
  type Surroundings,
} from '../declare/metadata.js'
import type { ModuleOptions, PlacedModule, Provider } from '../declare/module.js'
import { type Checks, check, listOf, markProblems, show, wrongOptions } from '../declare/options.js'
import { joinPrefixes } from '../routing/pattern.js'
import { surroundingProblems } from './surroundings.js'

/** A class that a module lists, and what the modules put around and in front of it. */
export interface ListedClass extends Surroundings {
  readonly owner: AbstractClass
  readonly module: string
  readonly prefix: string
  readonly host?: string | undefined
  readonly version?: string | readonly string[] | undefined
}

export interface ModuleGraph {
  /** Controllers, event sources and socket classes, in the order they are listed, imports first. */
  readonly classes: readonly ListedClass[]
  /** Providers in the same order; of two for one token the later counts, so a module overrides its imports. */
  readonly providers: readonly { readonly provider: Provider; readonly module: string }[]
  /** Modules that have something to do themselves, imports first: those are made, behind what all of them list. */
  readonly hooked: readonly AbstractClass[]
  readonly problems: readonly string[]
}

interface Place extends Surroundings {
  readonly prefix: string
  readonly host?: string | undefined
  readonly version?: string | readonly string[] | undefined
  /** The modules that lead here, outermost first. */
  readonly path: readonly AbstractClass[]
}

/** Where a module was met first, and whether it or its imports list controllers, to which that place matters. */
interface Visit {
  readonly place: Place
  serves: boolean
}

export function walkModules(root: AbstractClass, application: Surroundings & { readonly prefix: string }): ModuleGraph {
  return new Walk().from(root, { ...application, prefix: joinPrefixes(application.prefix), path: [] })
}

class Walk {
  readonly classes: ListedClass[] = []
  readonly providers: { provider: Provider; module: string }[] = []
  readonly hooked: AbstractClass[] = []
  readonly problems: string[] = []
  readonly #visits = new Map<AbstractClass, Visit>()

  from(root: AbstractClass, place: Place): ModuleGraph {
    this.#visit(root, place)
    const { classes, providers, hooked, problems } = this
    return { classes, providers, hooked, problems }
  }

  /** Whether the module, or one that it imports, lists controllers. */
  #visit(module: AbstractClass, outer: Place): boolean {
    if (outer.path.includes(module)) {
      const circle = [...outer.path.slice(outer.path.indexOf(module)), module].map(each => each.name).join(' → ')
      this.problems.push(`modules import each other: ${circle}: move what both need into a third`)
      return false
    }
    const options = this.#optionsOf(module, outer)
    if (options === undefined) return false
    const prefix = joinPrefixes(outer.prefix, String(options.prefix ?? ''))
    const { host = outer.host, version = outer.version } = options
    const surroundings = addSurroundings(outer, readDeclaration(module))
    const place: Place = { ...surroundings, prefix, host, version, path: [...outer.path, module] }
    const earlier = this.#visits.get(module)
    if (earlier !== undefined) {
      if (earlier.serves) this.problems.push(...differences(module, earlier.place, place))
      return earlier.serves
    }
    const visit = { place, serves: listOf(options.controllers).length > 0 }
    this.#visits.set(module, visit)
    for (const imported of listOf(options.imports).map(asPlaced)) {
      this.problems.push(...wrongOptions(`${module.name}: an import`, imported, placed))
      const inner = { ...place, prefix: joinPrefixes(prefix, String(imported.prefix ?? '')) }
      visit.serves = this.#visit(imported.module, inner) || visit.serves
    }
    if (['onStart', 'onStop'].some(hook => hook in module.prototype)) this.hooked.push(module)
    for (const provider of listOf(options.providers)) this.providers.push({ provider, module: module.name })
    for (const owner of listOf(options.controllers)) this.classes.push({ ...place, owner, module: module.name })
    return visit.serves
  }

  /** The options of a module; undefined, and a problem, where they cannot be read. */
  #optionsOf(module: AbstractClass, { path }: Place): ModuleOptions | undefined {
    const importer = path.at(-1)?.name
    const problem = notAModule(module, importer) ?? foreignProblem(module)
    const mark = problem === undefined ? moduleMark(module) : undefined
    if (problem !== undefined || mark === undefined) {
      this.problems.push(problem ?? '')
      return undefined
    }
    const wrong = markProblems(module.name, mark)
    const declaration = readDeclaration(module)
    if (!this.#visits.has(module))
      this.problems.push(...declaration.problems, ...wrong, ...surroundingProblems(module.name, declaration))
    return mark.options ?? {}
  }
}

const placed: Checks<PlacedModule> = { module: () => undefined, prefix: check.text }

function asPlaced(imported: AbstractClass | PlacedModule): PlacedModule {
  return typeof imported === 'object' && imported !== null && 'module' in imported ? imported : { module: imported }
}

function moduleMark(module: AbstractClass) {
  return readDeclaration(module).marks.find(each => each.as === 'module')
}

function notAModule(module: AbstractClass, importer: string | undefined): string | undefined {
  if (typeof module !== 'function') {
    const who = importer === undefined ? `bootstrap was given ${show(module)}` : `${importer} imports ${show(module)}`
    const cure = importer === undefined ? 'give it a class marked @Module({ … })' : 'is it imported in a circle?'
    return `${who}, which is no module: ${cure}`
  }
  if (moduleMark(module) !== undefined) return undefined
  const [other] = readDeclaration(module).marks
  const cure =
    other === undefined
      ? 'mark it @Module({ … })'
      : `list it among the ${other.as === 'registry' || other.as === 'injectable' ? 'providers' : 'controllers'} of a module`
  return `${show(module)} is used as a module but is ${other === undefined ? 'not one' : `marked ${other.written}`}: ${cure}`
}

/** A module is served once: at one prefix, with what surrounds it there. */
function differences(module: AbstractClass, first: Place, second: Place): string[] {
  if (first.prefix !== second.prefix) {
    const both = `${first.prefix || '/'} and ${second.prefix || '/'}`
    return [`${module.name} is imported under two prefixes, ${both}: import it once`]
  }
  for (const option of ['host', 'version'] as const) {
    const [one, other] = [first[option], second[option]].map(value => (value === undefined ? 'none' : String(value)))
    if (one !== other) return [`${module.name} is imported under two ${option}s, ${one} and ${other}: import it once`]
  }
  const kinds = ['guards', 'interceptors', 'errorMappers'] as const
  const same = (kind: (typeof kinds)[number]) =>
    first[kind].length === second[kind].length && first[kind].every((each, index) => each === second[kind][index])
  if (kinds.every(same)) return []
  const both = [first, second].map(({ path }) => path.at(-2)?.name ?? 'bootstrap').join(' and ')
  return [
    `${module.name} is imported by ${both}, which surround it with different guards, interceptors or error mappers: import it once, or put those on its classes`,
  ]
}
