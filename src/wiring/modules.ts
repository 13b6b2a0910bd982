/** The module graph, walked once: which classes and providers exist, and in which order. */
import { type AbstractClass, addSurroundings, readDeclaration, type Surroundings } from '../declare/metadata.js'
import type { ModuleOptions, PlacedModule, Provider } from '../declare/module.js'
import { unknownKeys } from '../declare/options.js'

/** A class that a module lists, and what the modules put around and in front of it. */
export interface ListedClass extends Surroundings {
  readonly owner: AbstractClass
  readonly module: string
  readonly prefix: string
}

export interface ModuleGraph {
  /** Controllers, event sources and socket classes, in the order they are listed, imports first. */
  readonly classes: readonly ListedClass[]
  /** Providers in the same order; of two for one token the later counts, so a module overrides its imports. */
  readonly providers: readonly { readonly provider: Provider; readonly module: string }[]
  readonly modules: readonly AbstractClass[]
  readonly problems: readonly string[]
}

interface Place extends Surroundings {
  readonly prefix: string
  /** The modules that lead here, outermost first. */
  readonly path: readonly AbstractClass[]
}

export function walkModules(root: AbstractClass, application: Surroundings & { readonly prefix: string }): ModuleGraph {
  const classes: ListedClass[] = []
  const providers: { provider: Provider; module: string }[] = []
  const problems: string[] = []
  const seen = new Map<AbstractClass, string>()
  const visit = (module: AbstractClass, place: Place) => {
    if (place.path.includes(module)) {
      problems.push(
        `modules import each other: ${[...place.path, module].map(each => each.name).join(' → ')}: move what both need into a third`,
      )
      return
    }
    const declaration = readDeclaration(module)
    const mark = declaration.marks.find(each => each.as === 'module')
    if (mark === undefined) {
      problems.push(`${module.name} is used as a module but is not one: mark it @Module({ … })`)
      return
    }
    const options = mark.options as ModuleOptions
    const prefix = place.prefix + (options.prefix ?? '')
    const earlier = seen.get(module)
    if (earlier !== undefined) {
      if (earlier !== prefix)
        problems.push(
          `${module.name} is imported under two prefixes, ${earlier || '/'} and ${prefix || '/'}: import it once`,
        )
      return
    }
    seen.set(module, prefix)
    const inner = addSurroundings(place, declaration)
    const path = [...place.path, module]
    for (const imported of (options.imports ?? []).map(asPlaced)) {
      problems.push(...unknownKeys(`${module.name}: an import`, imported, ['module', 'prefix']))
      visit(imported.module, { ...inner, prefix: prefix + (imported.prefix ?? ''), path })
    }
    for (const provider of options.providers ?? []) providers.push({ provider, module: module.name })
    for (const owner of options.controllers ?? []) classes.push({ ...inner, owner, module: module.name, prefix })
  }
  visit(root, { ...application, path: [] })
  return { classes, providers, modules: [...seen.keys()], problems }
}

function asPlaced(imported: AbstractClass | PlacedModule): PlacedModule {
  return typeof imported === 'object' && imported !== null ? imported : { module: imported }
}
