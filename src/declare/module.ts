import type { AbstractClass, Class, Token } from './metadata.js'
import { markClass, type PlaceOptions } from './routes.js'

/**
 * How long an instance lives: with the application, for one injection, or with one connection (only event sources,
 * socket classes and other connection-scoped classes may ask for those).
 */
export type Scope = 'singleton' | 'transient' | 'connection'

/** How a dependency comes to be. A class by itself stands for `{ token: Class, useClass: Class }`. */
export type Provider<T = unknown> =
  | Class
  | { readonly token: Token<T>; readonly useClass: Class; readonly scope?: Scope }
  | { readonly token: Token<T>; readonly useValue: T }
  | {
      readonly token: Token<T>
      /** Called once, at boot, with what `inject` names; awaited. */
      readonly useFactory: (...dependencies: never[]) => T | Promise<T>
      readonly inject?: readonly Token[]
    }
  | { readonly token: Token<T>; readonly useToken: Token<T> }

/** A module under a path that its importer chooses. */
export interface PlacedModule {
  /** The module that is placed. */
  readonly module: AbstractClass
  /** A path in front of all paths of the module, its own prefix included. @default none */
  readonly prefix?: string
}

/** `host` and `version` are for the routes of this module and of its imports that say none of their own. */
export interface ModuleOptions extends PlaceOptions {
  /** Modules whose controllers and providers belong to the application too, each where it says or where you place it. @default none */
  readonly imports?: readonly (AbstractClass | PlacedModule)[]
  /** Controllers, event sources and socket classes. @default none */
  readonly controllers?: readonly AbstractClass[]
  /** What constructors may ask for, registries included. @default none */
  readonly providers?: readonly Provider[]
  /** A path in front of all paths of this module and of its imports. @default none */
  readonly prefix?: string
}

/** A list of classes that belong together. Modules group and order; they hide nothing from each other. */
export function Module(options: ModuleOptions): (target: AbstractClass) => void {
  return markClass({ as: 'module', written: '@Module()', options })
}

/** What `@Injectable` is told. */
export interface InjectableOptions {
  /** @default 'singleton' */
  readonly scope?: Scope
}

/** A class whose constructor has dependencies: the decorator makes the compiler emit their types. */
export function Injectable(options: InjectableOptions = {}): (target: AbstractClass) => void {
  return markClass({ as: 'injectable', written: '@Injectable()', options })
}
