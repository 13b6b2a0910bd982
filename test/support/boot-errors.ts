import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import {
  type ApplicationOptions,
  bootstrap,
  type Class,
  ConfigurationError,
  type ModuleOptions,
} from '../../src/index.js'
import { moduleOf } from './apps.js'

/** Broken modules by what is promised of them, and the exact problems that boot tells. */
export type BootErrors = Record<
  string,
  {
    /** The module, or its options, or the controllers of one. */
    readonly module: () => Class | ModuleOptions | readonly Class[]
    readonly options?: ApplicationOptions
    readonly problems: readonly string[]
  }
>

/** The problems that keep a module from starting. */
export async function problemsOf(module: Class | ModuleOptions, options: ApplicationOptions = {}) {
  const booting = bootstrap(typeof module === 'function' ? module : moduleOf(module), { port: 0, ...options })
  const error = await booting.then(
    app => app.close().then(() => assert.fail('it started')),
    (reason: unknown) => reason,
  )
  assert.ok(error instanceof ConfigurationError, `not a ConfigurationError: ${(error as Error)?.stack}`)
  return error.problems
}

/** Applies decorators as a compiler that emits no types does. */
export function decorate(decorators: readonly unknown[], target: object, key?: string, last?: unknown): void {
  const descriptor = last ?? (key === undefined ? undefined : Object.getOwnPropertyDescriptor(target, key))
  for (const each of decorators) (each as (...args: unknown[]) => void)(target, key, descriptor)
}

export function testBootErrors(subject: string, cases: BootErrors): void {
  describe(subject, () => {
    for (const [promise, { module, options, problems }] of Object.entries(cases)) {
      test(promise, async () => {
        const made = module()
        const told = await problemsOf(Array.isArray(made) ? { controllers: made } : (made as Class), options)
        assert.deepEqual(told, problems)
      })
    }
  })
}
