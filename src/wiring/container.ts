/** The only file that knows tsyringe: who exists, made eagerly in the order of need, and let go in reverse. */
import type * as Tsyringe from 'tsyringe'
import type { DependencyContainer, InjectionToken } from 'tsyringe'
import { type AbstractClass, type Class, readConstructor, type Token } from '../declare/metadata.js'
import { require } from '../declare/require.js'
import { ConfigurationError } from '../errors.js'
import { type Logger } from '../logger.js'
import { type Definition, nameToken } from './definitions.js'
import { resolveAlias } from './graph.js'
import { settleWithin } from './settle-within.js'
import { startError, takeStep } from './starting.js'

const { inject, injectable, Lifecycle, container: root } = require('tsyringe') as typeof Tsyringe

/** Runs when the application starts, after everything it needs has started. */
export interface OnStart {
  /** Awaited, before anything that needs it starts. */
  onStart(): void | Promise<void>
}

/** Runs when the application stops, before anything it needs has stopped. */
export interface OnStop {
  /** Awaited, after everything that needs it has stopped. */
  onStop(): void | Promise<void>
}

/** Makes an instance that belongs to a connection. */
export type Construct = (connection: object) => object

/** An owner's end, so that what was made for it can be let go. */
interface Ends {
  onSettled(listener: () => void): void
}

export class Container {
  readonly #container: DependencyContainer = root.createChildContainer()
  /** The singletons that were made here, in that order. */
  readonly #made: object[] = []
  readonly #definitionOf = new WeakMap<object, Definition>()
  readonly #started = new Set<object>()

  constructor(
    private readonly definitions: ReadonlyMap<Token, Definition>,
    /** Classes that stand for the connection itself. */
    private readonly connections: readonly AbstractClass[],
    private readonly logger: Logger,
  ) {}

  /** Makes every singleton; factories are awaited. */
  async make(order: readonly Definition[]): Promise<void> {
    for (const definition of order) this.#register(definition)
    for (const definition of order) {
      if (definition.kind === 'factory') await this.#runFactory(definition)
      if (definition.kind === 'class' && definition.scope === 'singleton')
        checkMade(definition, this.#makeOne(definition))
    }
  }

  #makeOne(definition: Definition & { kind: 'class' }): unknown {
    try {
      return this.get(definition.token)
    } catch (error) {
      throw startError(definition, `the constructor of ${definition.useClass.name}`, error)
    }
  }

  /** The instance behind a token. @throws Error where none is provided, or where each connection has its own */
  get<T>(token: Token<T>): T {
    const definition = resolveAlias(token, this.definitions)
    if (definition === undefined) throw new Error(`no module provides ${nameToken(token)}`)
    if (definition.scope === 'connection') throw new Error(`${nameToken(token)} belongs to one connection`)
    return this.#container.resolve(token as InjectionToken<T>)
  }

  /** Every instance of a class, in the order they were made. */
  all<T extends object>(type: AbstractClass<T>): T[] {
    return this.#made.filter((instance): instance is T => instance instanceof type)
  }

  async start(): Promise<void> {
    for (const instance of this.#made) {
      if ('onStart' in instance) await this.#startOne(instance as OnStart)
      this.#started.add(instance)
    }
  }

  #startOne(instance: OnStart): Promise<void> {
    const definition = this.#definitionOf.get(instance) as Definition
    const what =
      definition.kind === 'class'
        ? `${definition.useClass.name}.onStart`
        : `onStart of what the factory of ${nameToken(definition.token)} made`
    return takeStep(definition, what, this.logger, () => instance.onStart())
  }

  /**
   * Stops what has started and disposes of what was made, in reverse. Every instance gets its turn, and `patience`
   * milliseconds for each of the two.
   * @throws the failure at the end; an AggregateError, where there are several
   */
  async stop(patience: number): Promise<void> {
    const failures: unknown[] = []
    const attempt = async (what: string, end: () => unknown) => {
      try {
        await settleWithin(patience, what, end)
      } catch (error) {
        failures.push(error)
      }
    }
    for (const instance of this.#made.splice(0).reverse()) {
      const { name } = instance.constructor
      if (this.#started.delete(instance) && 'onStop' in instance)
        await attempt(`${name}.onStop`, () => (instance as OnStop).onStop())
      await attempt(`the disposal of ${name}`, () => dispose(instance))
    }
    if (failures.length > 1) throw new AggregateError(failures, `${failures.length} instances did not stop cleanly`)
    if (failures.length > 0) throw failures[0]
  }

  /**
   * Compiles how instances of a class are made for a connection: what lives with the application is found now, what
   * belongs to the connection is filled in then. No container is asked for each connection.
   */
  construct(owner: Class, needs: readonly Token[]): Construct {
    const reads = needs.map(need => this.#argument(need))
    const scoped = needs.some(need => this.#isScoped(need))
    if (!scoped) return connection => new owner(...(reads.map(read => read(connection, noneMade)) as never[]))
    return connection => {
      const made: Made = new Map()
      ;(connection as Ends).onSettled(() => void this.#disposeAll([...made.values()]))
      return new owner(...(reads.map(read => read(connection, made)) as never[]))
    }
  }

  async #disposeAll(instances: readonly object[]): Promise<void> {
    for (const instance of instances.toReversed()) {
      try {
        await dispose(instance)
      } catch (error) {
        this.logger.error(`${instance.constructor.name} was not disposed of cleanly`, error)
      }
    }
  }

  #isScoped(need: Token): boolean {
    return resolveAlias(need, this.definitions)?.scope === 'connection'
  }

  /** How one constructor parameter is filled. */
  #argument(need: Token): (connection: object, made: Made) => unknown {
    if (this.connections.includes(need as AbstractClass)) return connection => connection
    const definition = resolveAlias(need, this.definitions)
    if (definition?.scope === 'transient') return () => this.get(need)
    if (definition?.scope !== 'connection' || definition.kind !== 'class') {
      const instance = this.get(need)
      return () => instance
    }
    const reads = definition.needs.map(inner => this.#argument(inner))
    return (connection, made) => {
      const known = made.get(definition)
      if (known !== undefined) return known
      const instance = new definition.useClass(...(reads.map(read => read(connection, made)) as never[]))
      made.set(definition, instance)
      return instance
    }
  }

  #register(definition: Definition): void {
    const token = definition.token as InjectionToken
    if (definition.kind === 'value') this.#registerValue(definition.token, definition.useValue)
    if (definition.kind === 'alias')
      this.#container.register(token, { useToken: definition.useToken as InjectionToken })
    if (definition.kind !== 'class' || definition.scope === 'connection') return
    describe(definition.useClass, definition.needs)
    const lifecycle = definition.scope === 'transient' ? Lifecycle.Transient : Lifecycle.Singleton
    this.#container.register(token, { useClass: definition.useClass as InjectionToken as never }, { lifecycle })
    if (definition.scope === 'singleton')
      this.#container.afterResolution(token, (_, instance) => this.#note(instance as object, definition), {
        frequency: 'Once',
      })
  }

  /** As a factory, since tsyringe takes no `undefined` and no `null` for a value. */
  #registerValue(token: Token, value: unknown): void {
    this.#container.register(token as InjectionToken, { useFactory: () => value })
  }

  async #runFactory(definition: Definition & { kind: 'factory' }): Promise<void> {
    const dependencies = definition.takesContainer ? [this.#container] : definition.needs.map(need => this.get(need))
    const what = `the factory of ${nameToken(definition.token)}`
    const run = () => definition.useFactory(...(dependencies as never[]))
    const useValue = await takeStep(definition, what, this.logger, run)
    this.#registerValue(definition.token, useValue)
    const isNew = typeof useValue === 'object' && useValue !== null && !this.#made.includes(useValue)
    if (isNew) this.#note(useValue, definition)
  }

  #note(instance: object, definition: Definition): void {
    this.#made.push(instance)
    this.#definitionOf.set(instance, definition)
  }
}

/** Who needs a promise's class would be given the promise. @throws ConfigurationError */
function checkMade({ useClass: { name } }: Definition & { kind: 'class' }, instance: unknown): void {
  if (!(instance instanceof Promise)) return
  instance.catch(() => {}) // whatever comes of it, the application does not start
  throw new ConfigurationError([
    `the constructor of ${name} answers a promise: provide { token: ${name}, useFactory: async () => … }, which is awaited`,
  ])
}

type Made = Map<Definition, object>
const noneMade: Made = new Map()

/** Tells tsyringe of a class and what its constructor asks for, besides what its own decorators have told it. */
function describe(owner: Class, needs: readonly Token[]): void {
  if (needs.length > 0) injectAll(owner, needs)
  injectable()(owner as never)
}

function injectAll(owner: Class, needs: readonly Token[]): void {
  const { tsyringe } = readConstructor(owner)
  for (const [index, token] of needs.entries())
    if (!(index in tsyringe)) inject(token as InjectionToken)(owner, undefined, index)
}

async function dispose(instance: object): Promise<void> {
  const all = instance as { dispose?: unknown; [Symbol.asyncDispose]?: unknown; [Symbol.dispose]?: unknown }
  const method = all[Symbol.asyncDispose] ?? all[Symbol.dispose] ?? all.dispose
  if (typeof method === 'function') await method.call(instance)
}
